// The list of devices.

import { age, button, field, make } from './dom.js';
import { actions, liveState, locksOf, lockText, run } from './commands.js';
import { get } from './service.js';

const pageSize = 50;
const pagesPerStep = 20;
const rowLimit = 1000;
const missedLimit = 1000;

export function fleetView(main, signal) {
  const devices = new Map();
  const selected = new Set();
  const live = new Map();
  let next = null;
  let generation = 0;
  // Events that arrive while the list is read may be newer than what is read: they wait for it.
  let loading = true;
  const missed = [];
  let applications = [];

  const application = make('select', { change: () => load() });
  const search = make('input', { type: 'search', autocomplete: 'off', input: () => later() });
  const state = make('select', { change: () => load() },
    ...[['', 'All'], ['online', 'Online'], ['offline', 'Offline'], ['revoked', 'Revoked']].map(([value, text]) => make('option', { value, text })));
  const note = make('p', { class: 'hint', role: 'status' });
  const body = make('tbody');
  const all = make('input', { type: 'checkbox', 'aria-label': 'Select all devices shown', change: () => {
    for (const uuid of devices.keys()) if (all.checked) selected.add(uuid); else selected.delete(uuid);
    render();
  } });
  const more = button('Show more', () => load(true), { hidden: true });
  const count = make('span', { role: 'status' });
  const buttons = Object.entries(actions).map(([name, action]) => button(action.title, async () => {
    await run(name, [...selected].map((uuid) => devices.get(uuid)).filter(Boolean));
  }, { class: action.warning ? 'danger' : undefined }));
  const bar = make('div', { class: 'buttons', role: 'group', 'aria-label': 'Actions for the selected devices' },
    make('label', { class: 'buttons' }, all, 'All shown'), count, ...buttons);
  main.replaceChildren(make('h1', { text: 'Devices' }),
    make('div', { class: 'fields' }, field('Application', application), field('Name begins with', search), field('State', state)),
    bar, note,
    make('table', {}, make('thead', {}, make('tr', {}, ...['Select', 'Device', 'State', 'Release', 'Update', 'Lock', 'Connection']
      .map((text) => make('th', { scope: 'col', text })))), body),
    make('div', { class: 'buttons' }, more));

  let timer;
  function later() { clearTimeout(timer); timer = setTimeout(() => load(), 250); }
  signal.addEventListener('abort', () => clearTimeout(timer));

  const matches = (device) => state.value === '' || (state.value === 'revoked' ? device.revoked
    : state.value === 'online' ? device.connected : !device.connected);

  function rows(device) {
    const now = live.get(device.uuid);
    const locks = locksOf(now);
    const title = device.name || device.uuid;
    const tick = make('input', { type: 'checkbox', 'aria-label': `Select ${title}`, checked: selected.has(device.uuid), change: () => {
      if (tick.checked) selected.add(device.uuid); else selected.delete(device.uuid);
      bars();
    } });
    const progress = typeof now?.download_progress === 'number'
      ? make('progress', { max: '100', value: now.download_progress, 'aria-label': `Download of ${title}` }) : null;
    const update = now ? (now.update_failed ? 'failed' : now.update_pending ? 'pending' : 'none') : '–';
    const cell = (label, ...content) => make('td', { 'data-label': label }, ...content);
    return make('tr', { 'data-uuid': device.uuid }, make('td', {}, tick),
      cell('Device', make('a', { href: `#/device/${device.uuid}`, text: title })),
      cell('State', make('span', { class: device.revoked ? 'bad' : undefined,
        text: device.revoked ? 'revoked' : now?.status ?? device.status ?? '–' })),
      cell('Release', make('span', { class: 'release', title: device.runningRelease, text: device.runningRelease?.slice(0, 12) ?? '–' })),
      cell('Update', make('span', { class: now?.update_failed ? 'bad' : undefined, text: update }), progress ? ' ' : null, progress),
      cell('Lock', make('span', { class: locks.length ? 'warn' : undefined, text: locks.length ? lockText(locks[0]) : now ? 'not locked' : '–' })),
      cell('Connection', make('span', { class: device.connected ? 'good' : 'bad', text: device.connected ? 'online' : 'offline' }),
        device.connectedChanged ? ` for ${age(device.connectedChanged)}` : null));
  }

  function bars() {
    count.textContent = `${selected.size} selected`;
    for (const one of buttons) one.disabled = selected.size === 0;
    all.checked = devices.size > 0 && [...devices.keys()].every((uuid) => selected.has(uuid));
    all.indeterminate = !all.checked && selected.size > 0;
  }

  function render() {
    body.replaceChildren(...[...devices.values()].map(rows));
    more.hidden = next === null || devices.size >= rowLimit;
    note.textContent = devices.size === 0 ? 'There is no such device.'
      : `${devices.size} device${devices.size === 1 ? '' : 's'} shown${next === null ? '' : devices.size >= rowLimit ? ', the most that this list shows: search for others' : '; there are more'}.`;
    bars();
  }

  function renew(uuid) {
    const device = devices.get(uuid);
    const old = [...body.children].find((row) => row.dataset.uuid === uuid);
    if (!device || !old) return;
    const focused = old.contains(document.activeElement) ? document.activeElement.tagName : null;
    const made = rows(device);
    old.replaceWith(made);
    if (focused) made.querySelector(focused)?.focus();
  }

  // The update and the lock are known to the device only: it is asked, four devices at a time.
  const waiting = new Set();
  let asking = 0;
  function question(device) {
    if (device.connected) waiting.add(device.uuid);
    while (asking < 4 && waiting.size) {
      asking += 1;
      (async () => {
        while (waiting.size && !signal.aborted) {
          const [uuid] = waiting;
          waiting.delete(uuid);
          const answer = await liveState({ uuid });
          if (answer) live.set(uuid, answer); else live.delete(uuid);
          renew(uuid);
        }
        asking -= 1;
      })();
    }
  }

  async function load(isMore = false) {
    const mine = ++generation;
    loading = true;
    if (!isMore) { next = null; selected.clear(); devices.clear(); live.clear(); waiting.clear(); }
    search.disabled = application.value === '';
    search.placeholder = search.disabled ? 'choose an application' : '';
    try {
      let found = 0;
      for (let step = 0; step < pagesPerStep && found < pageSize && devices.size < rowLimit; step += 1) {
        const query = new URLSearchParams({ limit: pageSize });
        if (application.value) query.set('application', application.value);
        if (application.value && search.value) query.set('search', search.value);
        if (next) query.set('cursor', next);
        const page = await get(`/api/v1/devices?${query}`);
        if (mine !== generation || signal.aborted) return;
        for (const device of page.items) {
          if (!matches(device)) continue;
          devices.set(device.uuid, device);
          question(device);
          found += 1;
        }
        next = page.next;
        if (next === null) break;
      }
      loading = false;
      render();
      for (const event of missed.splice(0)) view.event(event);
    } catch (error) {
      if (mine === generation) { loading = false; missed.length = 0; }
      if (mine === generation && !signal.aborted) note.textContent = `The list cannot be shown: ${error.message}`;
    }
  }

  async function start() {
    try {
      applications = (await get('/api/v1/applications?limit=1000')).items;
    } catch (error) { note.textContent = `The applications cannot be shown: ${error.message}`; return; }
    if (signal.aborted) return;
    application.replaceChildren(make('option', { value: '', text: 'All' }),
      ...applications.map((one) => make('option', { value: one.id, text: one.name })));
    if (applications.length === 1) application.value = String(applications[0].id);
    await load();
  }
  const view = {
    reload: () => load(),
    event(event) {
      // A question to a device is a command too: its event must not cause the next question.
      if (event.type === 'command') return;
      if (loading) { if (missed.length < missedLimit) missed.push(event); return; }
      const device = devices.get(event.uuid);
      if (!device) return;
      if (event.type === 'presence') {
        device.connected = event.connected === true;
        device.connectedChanged = new Date().toISOString();
        if (!device.connected) live.delete(device.uuid);
      } else if (event.type === 'report') device.status = typeof event.status === 'string' ? event.status : device.status;
      else if (event.type === 'device') {
        get(`/api/v1/devices/${device.uuid}`).then((fresh) => {
          if (devices.has(fresh.uuid)) { devices.set(fresh.uuid, fresh); renew(fresh.uuid); }
        }, () => {});
        return;
      }
      renew(device.uuid);
      question(device);
    },
  };
  start();
  return view;
}
