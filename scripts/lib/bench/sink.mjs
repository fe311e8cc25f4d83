// A store that takes a body and throws it away, as far away from Glance as a plain HTTP server is. Prints its port.
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  let bytes = 0;
  request.on('data', (chunk) => (bytes += chunk.length));
  request.on('end', () => {
    const declared = Number(request.headers['content-length']);
    response.writeHead(bytes === declared ? 204 : 400).end();
  });
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${server.address().port}\n`);
});
