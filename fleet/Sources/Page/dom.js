// Elements are made with text only: nothing that a device or a person wrote is ever parsed as HTML.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'click' || name === 'change' || name === 'submit' || name === 'input') {
      element.addEventListener(name, value);
    } else if (name === 'text') element.textContent = value;
    else if (name === 'value' || name === 'checked' || name === 'indeterminate') element[name] = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function button(text, click, properties = {}) {
  return make('button', { type: 'button', text, click, ...properties });
}

export function field(text, control) {
  return make('label', {}, text, control);
}

export function definitions(pairs) {
  const list = make('dl');
  for (const [name, value] of pairs) {
    list.append(make('dt', { text: name }), make('dd', {}, value ?? '–'));
  }
  return list;
}

/** Local time with its zone; `text` is RFC 3339, or seconds since 1970. */
export function time(value) {
  const date = new Date(typeof value === 'number' ? value * 1000 : value);
  if (value === null || value === undefined || Number.isNaN(date.getTime())) return 'unknown';
  return date.toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'long' });
}

export function age(value) {
  const then = typeof value === 'number' ? value * 1000 : Date.parse(value);
  if (!Number.isFinite(then)) return 'unknown';
  const seconds = Math.max(0, Math.round((Date.now() - then) / 1000));
  for (const [unit, length] of [['day', 86400], ['hour', 3600], ['minute', 60]]) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${unit}${count === 1 ? '' : 's'}`;
  }
  return `${seconds} second${seconds === 1 ? '' : 's'}`;
}

/** Shows a modal dialog. Resolves to the value of the button that was pressed, or null after Escape. */
export function ask(title, content, choices) {
  return new Promise((resolve) => {
    let answer = null;
    const heading = make('h2', { id: 'dialog-title', text: title });
    const buttons = choices.map(([text, value, kind]) =>
      button(text, () => { answer = value; dialog.close(); }, { class: kind }));
    const dialog = make('dialog', { 'aria-labelledby': 'dialog-title' }, heading, ...content,
      make('div', { class: 'buttons' }, ...buttons));
    dialog.addEventListener('close', () => { dialog.remove(); resolve(answer); });
    document.body.append(dialog);
    dialog.showModal();
    buttons[0].focus();
  });
}
