// The suite of the same name once more, on PostgreSQL, where transactions really meet.
import { describe } from 'vitest';
import { usePostgres } from '../support/rules-database.js';

if (usePostgres('queue/scheduled')) await import('../queue/scheduled.test.js');
else describe.skip('PostgreSQL is not installed');
