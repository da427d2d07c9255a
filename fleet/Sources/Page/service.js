// Requests to the service. The token is kept in this module's memory only, and sent as a header only.

let token = null;
let refused = () => {};

export class ServiceError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function logIn(text) { token = text; }
export function logOut() { token = null; }
export function isLoggedIn() { return token !== null; }
export function onRefusal(action) { refused = action; }

const timeLimit = 70_000;
const sizeLimit = 4 << 20;

/** Sends a request and gives status and body: JSON where it is JSON, else text, else null. */
export async function send(method, path, body) {
  const sentWith = token;
  const options = {
    method, cache: 'no-store', credentials: 'omit', redirect: 'error', signal: AbortSignal.timeout(timeLimit),
    headers: { Authorization: `Bearer ${sentWith}`, Accept: 'application/json' },
  };
  if (body !== undefined) {
    options.headers['Content-Type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  let text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    throw new ServiceError(0, error.name === 'TimeoutError' ? 'The service did not answer in time.'
      : 'The service cannot be reached.');
  }
  if (text.length > sizeLimit) throw new ServiceError(0, 'The answer is too large to be shown.');
  let value = text === '' ? null : text;
  if ((response.headers.get('Content-Type') ?? '').startsWith('application/json') && text !== '') {
    try { value = JSON.parse(text); } catch { /* The text is shown as it is. */ }
  }
  if (response.status === 401 && path.startsWith('/api/') && sentWith === token) refused();
  return { status: response.status, body: value };
}

/** What an answer says in words. */
export function reason(answer) {
  const body = answer.body;
  if (typeof body === 'string') return body;
  if (body === null) return `status ${answer.status}`;
  for (const name of ['error', 'Error', 'message']) {
    if (typeof body[name] === 'string' && body[name] !== '') return body[name];
  }
  return JSON.stringify(body);
}

export async function get(path) {
  const answer = await send('GET', path);
  if (answer.status !== 200) throw new ServiceError(answer.status, reason(answer));
  return answer.body;
}

/** One argument for a POSIX shell, whatever the text contains. */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The command line that sends the same request. The token is never part of it. */
export function curl(method, path, body) {
  const parts = ['curl', '--include', '--request', method, '--header', '"Authorization: Bearer $TOKEN"'];
  if (body !== undefined) {
    parts.push('--header', quoted('Content-Type: application/json'), '--data-raw', quoted(JSON.stringify(body)));
  }
  parts.push(quoted(location.origin + path));
  return parts.join(' ');
}

/** Reads the events until `signal` aborts, and connects again after a break. */
export async function events(signal, { opened, event, closed }) {
  let wait = 1000;
  while (!signal.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener('abort', stop);
    // The service sends a line each 15 s; a connection that is silent for longer is dead.
    let watch = setTimeout(stop, 45_000);
    try {
      const response = await fetch('/api/v1/events', {
        headers: { Authorization: `Bearer ${token}` }, cache: 'no-store', credentials: 'omit', redirect: 'error',
        signal: attempt.signal,
      });
      if (response.status === 401) { refused(); return; }
      if (response.ok) {
        opened();
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        let rest = '';
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          wait = 1000;
          clearTimeout(watch);
          watch = setTimeout(stop, 45_000);
          const lines = (rest + value).split('\n');
          rest = lines.pop();
          if (rest.length > 1 << 20) throw new Error('line too long');
          for (const line of lines) {
            if (!line.startsWith('data:')) continue;
            let value;
            try { value = JSON.parse(line.slice(5)); } catch { continue; }
            event(value);
          }
        }
      }
    } catch { /* The connection is made again below. */ }
    attempt.abort();
    clearTimeout(watch);
    signal.removeEventListener('abort', stop);
    if (signal.aborted) return;
    closed();
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait * (0.5 + Math.random()));
      signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
    });
    wait = Math.min(wait * 2, 30_000);
  }
}
