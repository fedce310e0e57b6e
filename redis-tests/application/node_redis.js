// node-redis plays the scenario.
'use strict';
const { createClient, createClientPool, WatchError } = require('redis');
const play = require('./scenario');

const HOST = process.env.BOWLINE_HOST || '127.0.0.1';

const options = (port, resp, socket = {}) => ({ RESP: resp, socket: { host: HOST, port, ...socket } });

async function connect(port, resp, lasting) {
  const client = createClient(options(port, resp, lasting ? {} : { reconnectStrategy: false }));
  client.on('error', () => {});
  return client.connect();
}

play({
  name: 'node-redis',
  protocols: [2, 3],
  connect,
  close: async (client) => client.destroy(),
  call: (client, ...words) => client.sendCommand(words),

  async pool(port, resp, size) {
    const pool = createClientPool(options(port, resp), { minimum: 1, maximum: size });
    pool.on('error', () => {});
    await pool.connect();
    return { run: (task) => pool.execute(task), close: async () => pool.destroy() };
  },

  // What is sent in one turn leaves as one pipeline.
  pipeline: (client, commands) =>
    Promise.all(commands.map((words) => client.sendCommand(words).catch((error) => error))),

  async transaction(client, commands) {
    const multi = client.multi();
    commands.forEach((words) => multi.addCommand(words));
    return multi.exec().catch((error) => error.replies || Promise.reject(error));
  },

  async addOne(client, key) {
    await client.watch(key);
    const old = Number(await client.get(key));
    return client.multi().set(key, `${old + 1}`).exec()
      .then(() => true, (error) => error instanceof WatchError ? false : Promise.reject(error));
  },

  async* scan(client, pattern) {
    for await (const keys of client.scanIterator({ MATCH: pattern, COUNT: 50 })) yield* keys;
  },

  async subscribe(client, channel, pattern, heard) {
    await client.subscribe(channel, (message) => heard('channel', message));
    await client.pSubscribe(pattern, (message) => heard('pattern', message));
  },
});
