// Step 11: people who sign in elsewhere, as rows among the API keys.
export const peopleStatements: readonly string[] = ['alter table api_keys add column subject text unique'];
