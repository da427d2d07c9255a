// The page of one device.

import { age, button, definitions, field, make, time } from './dom.js';
import { actions, command, liveState, locksOf, lockText, run } from './commands.js';
import { get } from './service.js';

/** Services of a merged report, in the format of version 2 (by image) or 3 (by name). */
function services(report) {
  const found = [];
  const object = (value) => (value && typeof value === 'object' ? Object.entries(value) : []);
  const add = (name, service) => {
    if (found.length < 200) found.push([name, String(service?.status ?? '–'), service?.download_progress]);
  };
  for (const [, app] of object((report?.local ?? report)?.apps)) {
    for (const [id, service] of object(app?.services)) add(service?.serviceName ?? `image ${id}`, service);
    for (const [, release] of object(app?.releases)) {
      for (const [name, service] of object(release?.services)) add(name, service);
    }
  }
  return found;
}

export function deviceView(main, signal, uuid) {
  let device = null;
  const title = make('h1', { text: 'Device' });
  const note = make('p', { class: 'hint', role: 'status' });
  const facts = make('div');
  const service = make('div');
  const locks = make('div');
  const buttons = Object.entries(actions).map(([name, action]) => button(action.title, async () => {
    await run(name, [device]);
    load();
  }, { disabled: true, class: action.warning ? 'danger' : undefined }));
  const config = hostConfiguration(() => device);
  main.replaceChildren(make('p', {}, make('a', { href: '#/', text: 'All devices' })), title, note,
    make('div', { class: 'buttons', role: 'group', 'aria-label': 'Actions' }, ...buttons), facts,
    make('h2', { text: 'Services' }), service, make('h2', { text: 'Update lock' }), locks,
    make('h2', { text: 'Host configuration' }), config);

  let generation = 0;
  let known = null;
  async function load() {
    const mine = ++generation;
    try { device = await get(`/api/v1/devices/${uuid}`); } catch (error) {
      if (mine === generation && !signal.aborted) note.textContent = error.status === 404 ? 'There is no such device.' : `The device cannot be shown: ${error.message}`;
      return;
    }
    if (mine !== generation || signal.aborted) return;
    note.textContent = '';
    if (!device.connected) known = null;
    render(known);
    if (!device.connected) return;
    const state = await liveState(device);
    if (mine !== generation || signal.aborted) return;
    known = state;
    render(state);
  }

  function render(state) {
    title.textContent = device.name || device.uuid;
    for (const one of buttons) one.disabled = false;
    const connection = `${device.connected ? 'online' : 'offline'}${device.connectedChanged ? ` for ${age(device.connectedChanged)}` : ''}`;
    const update = !state ? 'unknown' : state.update_failed ? `failed: ${state.update_error ?? 'no reason given'}` : state.update_pending ? 'pending' : 'none pending';
    const progress = typeof state?.download_progress === 'number'
      ? make('progress', { max: '100', value: state.download_progress, 'aria-label': 'Download' }) : null;
    facts.replaceChildren(definitions([
      ['Uuid', device.uuid], ['Connection', make('span', { class: device.connected ? 'good' : 'bad', text: connection })],
      ['Connectivity check', !state?.connectivity ? 'unknown' : state.connectivity.enabled ? (state.connectivity.connected === null ? 'unknown' : state.connectivity.connected ? 'connected' : 'not connected') : 'off'],
      ['State', String(state?.status ?? device.status ?? '–')], ['Release', make('span', { class: 'release', text: state?.commit ?? device.runningRelease ?? '–' })],
      ['Pinned release', device.pinnedRelease], ['Update', make('span', {}, update, progress ? ' ' : '', progress)],
      ['Operating system', [device.osVersion, device.osVariant].filter(Boolean).join(', ') || null],
      ['Supervisor', device.supervisorVersion], ['Addresses', device.ipAddress],
      ['Last report', device.lastReport ? `${time(device.lastReport)} (${age(device.lastReport)} ago)` : null],
      ['Key reset allowed until', device.keyResetUntil ? time(device.keyResetUntil) : null],
      ...(device.revoked ? [['Revoked', make('span', { class: 'bad', text: 'yes' })]] : []),
    ]));
    const list = services(device.report);
    service.replaceChildren(list.length
      ? make('ul', {}, ...list.map(([name, status, part]) => make('li', { text: `${name}: ${status}${typeof part === 'number' ? `, ${part} %` : ''}` })))
      : make('p', { class: 'hint', text: 'The device has reported no services.' }));
    const held = locksOf(state);
    locks.replaceChildren(held.length ? make('ul', {}, ...held.map((lock) => make('li', { class: 'warn', text: lockText(lock) })))
      : make('p', { class: 'hint', text: state ? 'No lock is held.' : 'Only a device that is online and answers shows its locks.' }));
    if (held.length && state.update_pending) {
      locks.append(button('Force the update', async () => { await command(actions.update, device, { force: true }); load(); }, { class: 'danger' }));
    }
  }
  load();
  let timer;
  signal.addEventListener('abort', () => clearTimeout(timer));
  return {
    reload: load,
    event(event) {
      if (event.uuid !== uuid) return;
      if (event.type === 'command') return;
      clearTimeout(timer);
      timer = setTimeout(load, 300);
    },
  };
}

function hostConfiguration(device) {
  const result = make('p', { role: 'status', class: 'hint' });
  const input = (type = 'text') => make('input', { type, autocomplete: 'off', spellcheck: 'false' });
  const hostname = input();
  const kind = make('select', {}, ...[['', 'No proxy'], ...['socks4', 'socks5', 'http-connect', 'http-relay'].map((one) => [one, one])]
    .map(([value, text]) => make('option', { value, text })));
  const [ip, port, login] = [input(), input(), input()];
  const password = make('input', { type: 'password', autocomplete: 'new-password' });
  const without = make('textarea', { rows: '2', spellcheck: 'false' });
  const save = make('button', { type: 'submit', class: 'main', text: 'Save', disabled: true });
  let old = null;
  const fetchIt = button('Read from the device', async () => {
    const answer = await command({ title: 'Read the host configuration', url: '/v1/device/host-config', method: 'GET' }, device(), { isSecret: true });
    const network = answer.status === 200 ? answer.body?.network : null;
    if (!network || typeof network !== 'object') { result.textContent = 'The configuration could not be read: see Commands.'; return; }
    old = network;
    hostname.value = network.hostname ?? '';
    kind.value = network.proxy?.type ?? '';
    ip.value = network.proxy?.ip ?? '';
    port.value = network.proxy?.port ?? '';
    login.value = network.proxy?.login ?? '';
    password.value = '';
    without.value = (network.proxy?.noProxy ?? []).join('\n');
    save.disabled = false;
    result.textContent = 'This is what the device has.';
  });

  function change() {
    const network = {};
    if (hostname.value !== (old.hostname ?? '')) network.hostname = hostname.value;
    if (kind.value === '') { if (old.proxy) network.proxy = null; } else {
      const proxy = {};
      const set = (name, value) => { if (value !== (old.proxy?.[name] ?? '')) proxy[name] = value === '' ? null : value; };
      set('type', kind.value); set('ip', ip.value); set('port', port.value); set('login', login.value);
      if (password.value) proxy.password = password.value;
      const list = without.value.split(/\s+/).filter(Boolean);
      if (list.join() !== (old.proxy?.noProxy ?? []).join()) proxy.noProxy = list.length ? list : null;
      if (Object.keys(proxy).length) network.proxy = proxy;
    }
    return network;
  }

  const hide = (body) => (body.data?.network?.proxy?.password
    ? { ...body, data: { network: { ...body.data.network, proxy: { ...body.data.network.proxy, password: 'PASSWORD' } } } } : body);
  return make('form', { submit: async (event) => {
    event.preventDefault();
    const network = change();
    if (!Object.keys(network).length) { result.textContent = 'Nothing is changed.'; return; }
    save.disabled = true;
    const answer = await command({ title: 'Change the host configuration', url: '/v1/device/host-config', method: 'PATCH', data: () => ({ network }) }, device(), { hide });
    result.textContent = answer.status === 200 ? 'The device has the new configuration.' : 'The configuration was not changed: see Commands.';
    save.disabled = false;
    if (answer.status === 200) { save.disabled = true; result.textContent += ' Read it again before the next change.'; }
  } },
  make('p', { class: 'hint', text: 'Only what you change is sent. An empty host name sets the default; an empty password stays as it is. In the command line that is shown, PASSWORD stands for a password.' }),
  make('div', { class: 'fields' }, field('Host name', hostname), field('Proxy', kind), field('Proxy address', ip), field('Proxy port', port),
    field('Proxy user', login), field('Proxy password', password), field('Reached without the proxy', without)),
  make('div', { class: 'buttons' }, fetchIt, save), result);
}
