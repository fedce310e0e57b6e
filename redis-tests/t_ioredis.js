// ioredis against the nodes in BOWLINE_PORTS: its Sentinel support with the nodes as the
// sentinels, and its Cluster. The leader is killed under each; t_ioredis.sh starts this.
//
//   node t_ioredis.js TITLE [sentinel] [cluster]
'use strict';
const { execFileSync } = require('child_process');
const path = require('path');
const Redis = require('ioredis');

const HOST = process.env.BOWLINE_HOST || '127.0.0.1';
const PORTS = (process.env.BOWLINE_PORTS || '6379').trim().split(/\s+/).map(Number);
const SCRIPT = path.join(__dirname, '..', 'scripts', 'cluster.sh');
const NODES = PORTS.map((port) => ({ host: HOST, port }));
const [TITLE, ...PARTS] = process.argv.slice(2);
const WRITES = 100;
const PATIENCE_MS = 20000;

let failures = 0;

function report(good, what) {
  failures += good ? 0 : 1;
  console.log(`${good ? 'ok' : 'not ok'} ${TITLE}: ${what}`);
}

function cluster(...words) {
  return execFileSync(SCRIPT, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function until(what, holds) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const found = await holds();
      if (found) return found;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
    await pause(10);
  }
}

const leader = () => until('a leader', () => Number(cluster('leader')));

async function kill() {
  const id = await leader();
  cluster('kill', String(id));
  return id;
}

async function restart(id) {
  cluster('restart', String(id));
  for (const port of PORTS) {
    const client = new Redis({ host: HOST, port, retryStrategy: () => 20 });
    client.on('error', () => {});
    await until('every node sees all others and the leader', async () =>
      (await client.cluster('NODES')).match(/ connected/g).length === 3
        && (await client.cluster('INFO')).includes('cluster_slots_ok:16384'));
    client.disconnect();
  }
}

// Increments `key` again and again; ioredis itself waits for connections that are lost.
async function increments(client, key, killed) {
  let acknowledged = 0;
  let victim = null;
  const errors = [];
  while (acknowledged < 2 * WRITES && errors.length < 5) {
    try {
      await client.incr(`${key}:${acknowledged % 10}`);
      acknowledged += 1;
    } catch (error) {
      errors.push(String(error));
    }
    if (acknowledged >= WRITES && victim === null) victim = await killed();
  }
  return { acknowledged, errors, victim };
}

async function total(client, key) {
  let sum = 0;
  for (let n = 0; n < 10; n += 1) sum += Number(await client.get(`${key}:${n}`));
  return sum;
}

async function sentinel(failoverDetector) {
  const what = failoverDetector ? 'Sentinel with failoverDetector' : 'Sentinel';
  const options = { sentinels: NODES, name: 'mymaster', failoverDetector };
  const master = new Redis({ ...options, role: 'master' });
  const replica = new Redis({ ...options, role: 'slave' });
  master.on('error', () => {});
  replica.on('error', () => {});
  const key = `sentinel:${failoverDetector}`;
  const before = await leader();
  const port = async () => Number(/tcp_port:(\d+)/.exec(await master.info('server'))[1]);
  report((await port()) === PORTS[before - 1], `${what}: the master is the leader`);
  report((await replica.role())[0] === 'slave', `${what}: the replica is none`);
  const { acknowledged, errors, victim } = await increments(master, key, kill);
  report(errors.length === 0, `${what}: killed node ${victim}: errors: ${errors.join('; ')}`);
  const sum = await total(master, key);
  // ioredis sends again what it had no answer to.
  report(sum >= acknowledged && sum <= acknowledged + 1, `${what}: ${sum} increments, ${acknowledged} acknowledged`);
  report((await port()) === PORTS[(await leader()) - 1], `${what}: the master is the new leader`);
  await master.set(`${key}:last`, 'v');
  report((await replica.get(`${key}:last`)) === 'v', `${what}: the replica reads it`);
  const unknown = new Redis({ ...options, name: 'nosuch', sentinelRetryStrategy: () => null, lazyConnect: true });
  unknown.on('error', () => {});
  const refused = await unknown.connect().then(() => false, () => true);
  report(refused, `${what}: another name is not found`);
  [master, replica, unknown].forEach((client) => client.disconnect());
  await restart(victim);
}

async function clustered(scaleReads) {
  const what = `Cluster, reads from ${scaleReads}`;
  const client = new Redis.Cluster(NODES, { scaleReads });
  client.on('error', () => {});
  const key = `cluster:${scaleReads}`;
  await client.set('a', '1');
  const ports = client.nodes('master').map((node) => node.options.port);
  report(String(ports) === String(PORTS[(await leader()) - 1]), `${what}: the master is the leader`);
  report(client.nodes('slave').length === 2, `${what}: there are two replicas`);
  const { acknowledged, errors, victim } = await increments(client, key, kill);
  report(errors.length === 0, `${what}: killed node ${victim}: errors: ${errors.join('; ')}`);
  // Replicas may be behind for a moment.
  const sum = await until('all increments', async () => {
    const found = await total(client, key);
    return found >= acknowledged && found;
  });
  report(sum <= acknowledged + 1, `${what}: ${sum} increments, ${acknowledged} acknowledged`);
  client.disconnect();
  await restart(victim);
}

(async () => {
  const first = new Redis(NODES[0]);
  await first.flushall();
  first.disconnect();
  if (PARTS.includes('sentinel')) {
    await sentinel(false);
    await sentinel(true);
  }
  if (PARTS.includes('cluster')) {
    await clustered('master');
    await clustered('slave');
  }
})()
  .catch((error) => report(false, String(error.stack || error)))
  .finally(() => process.exit(failures ? 1 : 0));
