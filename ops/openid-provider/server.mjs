// An OpenID provider for one test: says where it is, and lets in whoever it knows by any password.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [redirectUri, secret] = process.argv.slice(2);
const people = new Map([
  ['ada', { email: 'ada@example.org', email_verified: true, name: 'Ada Lovelace' }],
  ['eve', { email: 'ada@example.org', email_verified: false, name: 'Eve' }],
]);

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'mill', client_secret: secret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    pkce: { required: () => true },
    cookies: { keys: ['a key of a test'] },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people.get(id) }) }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
