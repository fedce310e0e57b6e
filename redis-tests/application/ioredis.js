// ioredis plays the scenario; it speaks RESP2 only, and has no pool of its own.
'use strict';
const Redis = require('ioredis');
const play = require('./scenario');

const HOST = process.env.BOWLINE_HOST || '127.0.0.1';

// ioredis gives pairs of error and reply.
const replies = (pairs) => pairs.map(([error, reply]) => error || reply);

async function connect(port, resp, lasting) {
  const once = lasting ? {} : { retryStrategy: () => null, maxRetriesPerRequest: 0 };
  const client = new Redis({ host: HOST, port, lazyConnect: true, ...once });
  client.on('error', () => {});
  await client.connect();
  return client;
}

play({
  name: 'ioredis',
  protocols: [2],
  connect,
  close: async (client) => client.disconnect(),
  call: (client, ...words) => client.call(...words),

  async pool(port, resp, size) {
    const clients = await Promise.all([...Array(size)].map(() => connect(port, resp)));
    let turn = 0;
    return {
      run: (task) => task(clients[(turn += 1) % size]),
      close: async () => clients.forEach((client) => client.disconnect()),
    };
  },

  async pipeline(client, commands) {
    const pipeline = client.pipeline();
    commands.forEach((words) => pipeline.call(...words));
    return replies(await pipeline.exec());
  },

  async transaction(client, commands) {
    const multi = client.multi();
    commands.forEach((words) => multi.call(...words));
    return replies(await multi.exec());
  },

  async addOne(client, key) {
    await client.watch(key);
    const old = Number(await client.get(key));
    return (await client.multi().set(key, old + 1).exec()) !== null;
  },

  async* scan(client, pattern) {
    for await (const keys of client.scanStream({ match: pattern, count: 50 })) yield* keys;
  },

  async subscribe(client, channel, pattern, heard) {
    client.on('message', (_, message) => heard('channel', message));
    client.on('pmessage', (_pattern, _channel, message) => heard('pattern', message));
    await client.subscribe(channel);
    await client.psubscribe(pattern);
  },
});
