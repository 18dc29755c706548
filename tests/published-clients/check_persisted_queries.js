// Runs Apollo Client's link for persisted queries, unchanged, against a running service, which stores no queries: the link
// sends a hash, is told so, sends the query, and sends no hash again. Takes SERVICE_URL from the environment. Exits with 1 and
// one line at the first wrong answer, and prints `N checks passed` at the end.

'use strict';

const { createHash } = require('crypto');
const { ApolloClient, HttpLink, InMemoryCache, gql } = require('@apollo/client');
const { createPersistedQueryLink } = require('@apollo/client/link/persisted-queries');
const { check, tell } = require('./check');

const ME = gql`query Me { me { id } }`;
const LOGOUT = gql`mutation LogOut { logout { loggedOut } }`;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

// A client that notes how each request went: whether it held the query, by which method, and the status of its answer.
function clientWith(options, headers) {
  const requests = [];
  async function noted(url, init) {
    const answer = await fetch(url, init);
    const text = init.method === 'GET' ? new URL(url).searchParams.get('query') : JSON.parse(init.body).query;
    requests.push(`${init.method} ${text ? 'query' : 'hash'} ${answer.status}`);
    return answer;
  }
  const http = new HttpLink({ uri: `${process.env.SERVICE_URL}/graphql`, fetch: noted, headers });
  const link = createPersistedQueryLink({ sha256, ...options }).concat(http);
  const client = new ApolloClient({ cache: new InMemoryCache(), link });
  return { client, requests };
}

const ask = (client) => client.query({ query: ME, fetchPolicy: 'no-cache' });

async function main() {
  const json = { accept: 'application/json' };
  // `Accept` decides the status; Apollo's own header prefers the newer media type.
  for (const [name, options, headers, refused] of [
    ['by POST', {}, undefined, 'POST hash 400'],
    ['by POST as JSON', {}, json, 'POST hash 200'],
    ['by GET', { useGETForHashedQueries: true }, undefined, 'GET hash 400'],
    ['by GET as JSON', { useGETForHashedQueries: true }, json, 'GET hash 200'],
  ]) {
    const { client, requests } = clientWith(options, headers);
    const first = await ask(client);
    check(`${name}: the query is answered`, first.data.me === null && !first.error, first);
    check(`${name}: the hash was refused, the query was not`, requests.join() === `${refused},POST query 200`, requests);
    const second = await ask(client);
    check(`${name}: a second query is answered`, second.data.me === null && !second.error, second);
    check(`${name}: no hash is sent again`, requests.length === 3 && requests[2] === 'POST query 200', requests);
  }
  const { client, requests } = clientWith({}, undefined);
  const { data } = await client.mutate({ mutation: LOGOUT });
  check('a mutation is answered', data.logout.loggedOut === false, data);
  check('a mutation ran once', requests.join() === 'POST hash 400,POST query 200', requests);
  tell();
}

main();
