// scenario.md for clients of Node.js, on the nodes in BOWLINE_PORTS. A client comes as an object of
//   name, protocols                 such as 'ioredis', [2]
//   connect(port, resp, lasting)    a client; lasting: it may reconnect by itself
//   close(client)
//   call(client, ...words)          one command
//   pool(port, resp, size)          { run(task(client)), close() }
//   pipeline(client, commands)      replies, errors among them
//   transaction(client, commands)   the same, of EXEC
//   addOne(client, key)             steps of watch; whether EXEC took place
//   scan(client, pattern)           an async iterator of keys
//   subscribe(client, channel, pattern, heard(way, message))
'use strict';
const { execFileSync } = require('child_process');
const path = require('path');

const PORTS = (process.env.BOWLINE_PORTS || '6379').trim().split(/\s+/).map(Number);
const SCRIPT = path.join(__dirname, '..', '..', 'scripts', 'cluster.sh');
const PATIENCE_MS = 60000;
const COUNTED = 60; // by each worker, before the kill and after it

let failures = 0;

function report(good, what) {
  failures += good ? 0 : 1;
  console.log(`${good ? 'ok' : 'not ok'} ${what}`);
}

function same(got, want, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what}: want ${b.slice(0, 300)}, got ${a.slice(0, 300)}`);
}

const range = (count) => [...Array(count).keys()];
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
const cluster = (...words) => execFileSync(SCRIPT, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();

async function until(what, holds) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await Promise.resolve().then(holds).catch(() => null);
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(10);
  }
}

const STEPS = {
  async protocol(lib, client, { resp }) {
    const reply = await lib.call(client, 'CONFIG', 'GET', 'maxclients');
    same(Array.isArray(reply), resp === 2, 'CONFIG GET is a list');
  },

  async pool(lib, _, { port, resp }) {
    const pool = await lib.pool(port, resp, 5);
    await Promise.all(range(20).map(async (task) => {
      for (const n of range(50)) {
        await pool.run((client) => lib.call(client, 'SET', `pool:${task}`, `${n}`));
        same(await pool.run((client) => lib.call(client, 'GET', `pool:${task}`)), `${n}`, 'its own key');
      }
    }));
    await pool.close();
  },

  async pipeline(lib, client) {
    const commands = range(1000).flatMap((n) => [['SET', `p:${n}`, `${n}`], ['GET', `p:${n}`]]);
    commands.splice(1000, 0, ['GETRANGE', 'p:0']);
    const replies = await lib.pipeline(client, commands);
    const [error] = replies.splice(1000, 1);
    same(error instanceof Error, true, 'an error among them');
    same(replies, range(1000).flatMap((n) => ['OK', `${n}`]), 'replies in order');
  },

  async transaction(lib, client) {
    const replies = await lib.transaction(client, [['SET', 't', 'text'], ['INCR', 't'], ['INCR', 'u']]);
    same([replies[0], replies[1] instanceof Error, replies[2]], ['OK', true, 1], 'replies of EXEC');
  },

  async watch(lib, _, { port, resp }) {
    await Promise.all(range(4).map(async () => {
      const client = await lib.connect(port, resp);
      for (let done = 0; done < 25;) done += await lib.addOne(client, 'counted');
      await lib.close(client);
    }));
  },

  async watched(lib, client) {
    same(await lib.call(client, 'GET', 'counted'), '100', 'no update is lost');
  },

  async scan(lib, client) {
    await lib.pipeline(client, range(1000).map((n) => ['SET', `scan:${n}`, 'v']));
    const found = new Set();
    for await (const key of lib.scan(client, 'scan:*')) {
      if (found.size % 10 === 0) await lib.pipeline(client, [['SET', `new:${found.size}`, 'v'], ['DEL', `p:${found.size}`]]);
      found.add(key);
    }
    same([...found].sort(), range(1000).map((n) => `scan:${n}`).sort(), 'every key');
  },

  async pubsub(lib, _, { port, resp, next }) {
    const [listener, publisher] = [await lib.connect(port, resp), await lib.connect(next, resp)];
    const heard = { channel: [], pattern: [] };
    await lib.subscribe(listener, 'news.it', 'news.*', (way, message) => heard[way].push(message));
    for (const n of range(90)) await lib.call(publisher, 'PUBLISH', 'news.it', `${n}`);
    await lib.transaction(publisher, range(10).map((n) => ['PUBLISH', 'news.it', `${90 + n}`]));
    await until('all messages', () => heard.channel.length + heard.pattern.length >= 200);
    const expected = range(100).map(String);
    same(heard, { channel: expected, pattern: expected }, 'messages in order');
    await lib.close(listener);
    await lib.close(publisher);
  },
};

// Counts until `stop.now`, on whichever node answers.
async function count(lib, worker, stop) {
  let [client, at] = [null, worker % PORTS.length];
  const state = { acknowledged: 0, errors: [] };
  stop.workers.push(state);
  while (!stop.now) {
    try {
      client = client || await lib.connect(PORTS[at], 2);
      await lib.call(client, 'ONCE', `${lib.name}:${worker}`, `${state.acknowledged + 1}`, 'INCR', 'kept');
      state.acknowledged += 1;
    } catch (error) {
      state.errors.push(String(error));
      if (client) await lib.close(client).catch(() => {});
      [client, at] = [null, (at + 1) % PORTS.length];
      await pause(20);
    }
  }
  if (client) await lib.close(client);
}

async function failover(lib) {
  const stop = { now: false, workers: [] };
  const leader = await until('a leader', () => Number(cluster('leader')));
  const lasting = await lib.connect(PORTS[leader - 1], 2, true);
  const all = range(2 * PORTS.length).map((worker) => count(lib, worker, stop));
  const each = (least) => until(`${least} of each worker: ${JSON.stringify(stop.workers)}`,
    () => stop.workers.every(({ acknowledged }) => acknowledged >= least));
  try {
    await each(COUNTED);
    cluster('kill', `${leader}`);
    await each(Math.max(...stop.workers.map(({ acknowledged }) => acknowledged)) + COUNTED);
  } finally {
    stop.now = true;
    await Promise.all(all);
  }
  const acknowledged = stop.workers.reduce((sum, worker) => sum + worker.acknowledged, 0);
  for (const port of PORTS.filter((_, index) => index !== leader - 1)) {
    const client = await lib.connect(port, 2);
    const kept = Number(await lib.call(client, 'GET', 'kept'));
    report(kept === acknowledged, `${lib.name}, failover, port ${port}: ${kept} of ${acknowledged} acknowledged`);
    await lib.close(client);
  }
  cluster('restart', `${leader}`);
  const again = await until('the client of the killed node', async () =>
    Number(await lib.call(lasting, 'GET', 'kept')) === acknowledged);
  report(again, `${lib.name}, reconnect: the client of the killed node reads ${acknowledged}`);
  await lib.close(lasting);
}

module.exports = async function play(lib) {
  try {
    for (const [index, port] of PORTS.entries()) {
      const next = PORTS[(index + 1) % PORTS.length];
      for (const resp of lib.protocols) {
        const client = await lib.connect(port, resp);
        await lib.call(client, 'FLUSHALL');
        for (const [name, step] of Object.entries(STEPS)) {
          const what = `${lib.name}, port ${port}, RESP${resp}: ${name}`;
          await step(lib, client, { port, resp, next })
            .then(() => report(true, what), (error) => report(false, `${what}: ${error.stack || error}`));
        }
        await lib.close(client);
      }
    }
    await failover(lib);
  } catch (error) {
    report(false, `${lib.name}: ${error.stack || error}`);
  }
  process.exit(failures ? 1 : 0);
};
