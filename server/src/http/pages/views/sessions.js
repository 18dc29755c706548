// The list of sessions: the browser, its network, when the session was opened and last used, and a button that ends it.

const list = document.getElementById('session-list');
const endOthers = document.getElementById('end-others');
let shown = '';

// Shows the sessions of a user, that of this browser first. `end(session, name)` is called for the one that the person ends.
export function showSessions(sessions, end) {
  document.getElementById('sessions').hidden = !sessions;
  endOthers.hidden = !sessions?.some(({ isCurrent }) => !isCurrent);
  // Drawn again only if something has changed: the focus may be in it.
  const drawn = JSON.stringify(sessions ?? []);
  if (drawn !== shown) {
    shown = drawn;
    const currentFirst = [...(sessions ?? [])].sort((one, other) => other.isCurrent - one.isCurrent);
    list.replaceChildren(...currentFirst.map((session) => row(session, end)));
  }
}

function row(session, end) {
  const name = session.browser ?? 'Unknown browser';
  const title = element('strong', { textContent: name });
  const text = element('div', {}, title);
  const opened = [session.network, `opened ${time(session.createdAt)}`].filter(Boolean).join(' · ');
  for (const textContent of [opened, `Last used ${time(session.lastUsedAt)}`]) {
    text.append(element('p', { className: 'hint', textContent }));
  }
  if (session.isCurrent) {
    title.after(' ', element('span', { className: 'badge', textContent: 'This browser' }));
    return element('li', {}, text);
  }
  const button = element('button', { type: 'button', className: 'button plain', textContent: 'Log out' });
  // Several rows have the same button: read out alone, it names its row.
  button.setAttribute('aria-label', `Log out ${name}, opened ${time(session.createdAt)}`);
  button.addEventListener('click', () => end(session, name));
  return element('li', {}, text, button);
}

function time(instant) {
  const { lang } = document.documentElement;
  return new Date(instant).toLocaleString(lang, { dateStyle: 'medium', timeStyle: 'short' });
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
