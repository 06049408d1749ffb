// The reference for `api`: a GraphQL server by the same library that knows its answer already. Its environment gives the
// schema and the data; it prints the port it listens on.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema } from 'graphql';
import { createHandler } from 'graphql-http/lib/use/http';

const { BARE_SCHEMA = '', BARE_DATA = '{}' } = process.env;
const handle = createHandler({
  schema: buildSchema(BARE_SCHEMA),
  rootValue: JSON.parse(BARE_DATA) as unknown,
});
const server = createServer((request, response) => {
  void handle(request, response);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${String((server.address() as AddressInfo).port)}\n`);
});
