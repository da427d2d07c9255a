// Commands to devices: what they send, the list of those that were sent, and the dialogs.

import { age, ask, button, make, time } from './dom.js';
import { curl, reason, send } from './service.js';

const listLimit = 50;
const atOnce = 8;

export const actions = {
  identify: { title: 'Identify', url: '/v1/blink' },
  restart: { title: 'Restart', url: '/v1/restart', data: (device) => ({ appId: device.application }), forced: true },
  update: { title: 'Update', url: '/v1/update', data: () => ({}), forced: true },
  purge: {
    title: 'Purge', url: '/v1/purge', data: (device) => ({ appId: device.application }), forced: true,
    warning: 'This deletes all data of the application on the device.',
  },
  reboot: { title: 'Reboot', url: '/v1/reboot', data: () => ({}), forced: true, warning: 'The device will be offline for a while.' },
  shutdown: {
    title: 'Shut down', url: '/v1/shutdown', data: () => ({}), forced: true,
    warning: 'The device stays off until a person switches it on.',
  },
};

function request(action, device, force) {
  const body = { uuid: device.uuid };
  if (action.method) body.method = action.method;
  if (action.data) body.data = { ...action.data(device), ...(force ? { force: true } : {}) };
  return ['POST', `/supervisor${action.url}`, body];
}

function copyable(line) {
  const state = make('span', { role: 'status', class: 'hint' });
  const copy = button('Copy', async () => {
    try {
      await navigator.clipboard.writeText(line);
      state.textContent = 'Copied';
    } catch { state.textContent = 'Select the text to copy it.'; }
  }, { 'aria-label': 'Copy the command line' });
  return make('div', { class: 'curl' }, make('pre', { text: line, tabindex: '0', role: 'group', 'aria-label': 'Command line' }), copy, state);
}

function show(title, device, shownLine) {
  const result = make('div', { class: 'result', role: 'status', text: 'Waiting for the answer…' });
  const item = make('li', {}, make('strong', { text: title }), ` ${device.name || device.uuid} `,
    make('span', { class: 'hint', text: time(Date.now() / 1000) }), result,
    make('details', {}, make('summary', { text: 'Show what was sent' }), copyable(shownLine)));
  const list = document.getElementById('command-list');
  list.prepend(item);
  while (list.children.length > listLimit) list.lastElementChild.remove();
  document.getElementById('commands').hidden = false;
  return (answer, isSecret) => {
    const good = answer.status >= 200 && answer.status < 300;
    result.className = `result ${good ? 'good' : 'bad'}`;
    const words = good ? (isSecret || answer.body === null ? '' : `: ${typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)}`)
      : `: ${reason(answer)}`;
    result.textContent = `${good ? 'Done' : 'Failed'}, ${answer.status || 'no answer'}${words}`.slice(0, 2000);
  };
}

/** Sends one command and lists it. `hide` gives the body that the list shows. */
export async function command(action, device, { force = false, hide = (body) => body, isSecret = false } = {}) {
  const [method, path, body] = request(action, device, force);
  const finish = show(`${action.title}${force ? ' (forced)' : ''}`, device, curl(method, path, hide(body)));
  let answer;
  try { answer = await send(method, path, body); } catch (error) { answer = { status: 0, body: error.message }; }
  finish(answer, isSecret);
  return answer;
}

async function each(devices, work) {
  const rest = [...devices];
  const lane = async () => { while (rest.length) await work(rest.shift()); };
  await Promise.all(Array.from({ length: Math.min(atOnce, rest.length) }, lane));
}

/** What GET /v1/device of the device says, or null. */
export async function liveState(device) {
  try {
    const answer = await send('POST', '/supervisor/v1/device', { uuid: device.uuid, method: 'GET' });
    return answer.status === 200 && answer.body && typeof answer.body === 'object' ? answer.body : null;
  } catch { return null; }
}

export function locksOf(state) {
  return Array.isArray(state?.locks) ? state.locks.filter((lock) => lock && typeof lock === 'object').slice(0, 50) : [];
}

export function lockText(lock) {
  const holder = lock.holder ? `locked by ${lock.holder}` : 'locked by an unknown holder';
  const since = typeof lock.since === 'number' ? ` since ${time(lock.since)} (${age(lock.since)})` : '';
  const service = lock.service ? `, service ${lock.service}` : '';
  return `${holder}${since}${service}${lock.reason ? `: ${lock.reason}` : ''}`;
}

/** Runs an action on devices, after a question if it is dangerous; asks to force where an update lock is held. */
export async function run(name, devices) {
  const action = actions[name];
  const whom = devices.length === 1 ? devices[0].name || devices[0].uuid : `${devices.length} devices`;
  if (action.warning) {
    const lines = devices.slice(0, 20).map((device) => curl(...request(action, device, false)));
    if (devices.length > 20) lines.push(`# and the same for ${devices.length - 20} more devices`);
    const choice = await ask(`${action.title}: ${whom}?`,
      [make('p', { text: action.warning }), copyable(lines.join('\n'))],
      [['Cancel', null], [action.title, 'yes', 'danger']]);
    if (choice !== 'yes') return;
  }
  const locked = [];
  await each(devices, async (device) => {
    const answer = await command(action, device);
    if (answer.status === 423 && action.forced) locked.push({ device, answer });
  });
  if (!locked.length) return;
  await each(locked.slice(0, 20), async (entry) => { entry.state = await liveState(entry.device); });
  const list = make('ul');
  for (const { device, answer, state } of locked.slice(0, 20)) {
    const locks = locksOf(state);
    const words = locks.length ? locks.map(lockText).join('; ') : reason(answer);
    list.append(make('li', {}, make('strong', { text: device.name || device.uuid }), `: ${words}`));
  }
  if (locked.length > 20) list.append(make('li', { text: `and ${locked.length - 20} more devices` }));
  const choice = await ask(`${action.title}: an update lock is held`,
    [list, make('p', { text: 'If you force it, the lock is overridden and the application is stopped in the middle of its work.' })],
    [['Cancel', null], ['Force', 'force', 'danger']]);
  if (choice === 'force') await each(locked.map((entry) => entry.device), (device) => command(action, device, { force: true }));
}
