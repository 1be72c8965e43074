// Started by a test: certificate and key as files, the client in one line of JSON on standard input.
import fs from 'node:fs';
import https from 'node:https';
import readline from 'node:readline';
import Provider from 'oidc-provider';

const [, , cert, key] = process.argv;
const server = https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) });
server.listen(0, '127.0.0.1', () => {
  const issuer = `https://localhost:${server.address().port}`;
  console.log(issuer);
  readline.createInterface({ input: process.stdin }).once('line', (line) => {
    const provider = new Provider(issuer, {
      clients: [{ ...JSON.parse(line), response_types: ['code'], grant_types: ['authorization_code'] }],
      claims: {
        openid: ['sub'],
        profile: ['name', 'preferred_username'],
        email: ['email'],
        groups: ['groups'],
      },
      findAccount: (ctx, id) => ({
        accountId: id,
        claims: () => ({
          sub: id,
          name: `The ${id}`,
          preferred_username: id,
          email: `${id}@idp.test`,
          groups: ['sre', 'everybody'],
        }),
      }),
      pkce: { required: () => true },
      features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
    });
    server.on('request', provider.callback());
    console.log('ready');
  });
});
