// Log-in, and which view is shown.

import { make } from './dom.js';
import { events, isLoggedIn, logIn, logOut, onRefusal, send, reason } from './service.js';
import { fleetView } from './fleet.js';
import { deviceView } from './device.js';

const main = document.getElementById('main');
const connection = document.getElementById('connection');
const leave = document.getElementById('log-out');
let view = null;
let viewStop = new AbortController();
let stop = new AbortController();

function showLogIn(message = '') {
  stop.abort();
  viewStop.abort();
  view = null;
  logOut();
  leave.hidden = true;
  connection.textContent = '';
  document.getElementById('command-list').replaceChildren();
  document.getElementById('commands').hidden = true;
  for (const dialog of document.querySelectorAll('dialog')) dialog.close();
  const input = make('input', { type: 'password', id: 'token', autocomplete: 'off', required: true });
  const note = make('p', { class: 'bad', role: 'alert', text: message });
  const form = make('form', { class: 'log-in', submit: async (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!/^[\x21-\x7e]+$/.test(text)) { note.textContent = 'This is not a token.'; return; }
    logIn(text);
    try {
      const answer = await send('GET', '/api/v1/whoami');
      if (answer.status === 200) { start(answer.body); return; }
      if (answer.status !== 401) { logOut(); note.textContent = `The log-in failed: ${reason(answer)}`; }
    } catch (error) { logOut(); note.textContent = error.message; }
  } }, make('h1', { text: 'Log in' }), make('label', {}, 'Token', input),
  make('button', { type: 'submit', class: 'main', text: 'Log in' }), note,
  make('p', { class: 'hint', text: 'The token is kept in memory until you log out or close this page. A token of the scope deploy or admin has full control of its devices.' }));
  main.replaceChildren(form);
  input.focus();
}

function route() {
  if (!isLoggedIn()) return;
  viewStop.abort();
  viewStop = new AbortController();
  const match = /^#\/device\/([0-9a-f]{32}|[0-9a-f]{62})$/.exec(location.hash);
  document.title = match ? 'Device – Fleet' : 'Fleet';
  view = match ? deviceView(main, viewStop.signal, match[1]) : fleetView(main, viewStop.signal);
  main.focus();
}

function start(who) {
  stop = new AbortController();
  leave.hidden = false;
  const name = `${who.name} (${who.scope})`;
  connection.textContent = name;
  route();
  let isFirst = true;
  events(stop.signal, {
    opened() {
      connection.textContent = `${name}, live`;
      // What happened during a break is not sent again.
      if (!isFirst) view?.reload();
      isFirst = false;
    },
    event(event) { if (event && typeof event.uuid === 'string') view?.event(event); },
    closed() { connection.textContent = `${name}, connecting…`; },
  });
}

onRefusal(() => showLogIn('The token is not valid, or no longer valid.'));
leave.addEventListener('click', () => showLogIn());
addEventListener('hashchange', route);
showLogIn();
