// The phone API of the sandbox, as this page uses it. What goes wrong is an Error whose message may be shown.

async function send(path, method, body) {
  let answer;
  try {
    answer = await fetch(path, { method, body: body && JSON.stringify(body) });
  } catch {
    throw new Error('The sandbox cannot be reached.');
  }
  const told = await answer.json().catch(() => null);
  if (!answer.ok) {
    throw new Error(told?.error ? `The sandbox says: ${told.error}.` : `The sandbox answered ${answer.status}.`);
  }
  return told;
}

// Who is registered.
export async function devices() {
  return (await send('/phone/devices', 'GET')).devices;
}

// One phone, and all that it shows.
export async function device(authyId) {
  return send(`/phone/devices/${authyId}`, 'GET');
}

// What a finger does: `approved` or `denied`.
export async function answer(uuid, status) {
  return send(`/phone/approval_requests/${uuid}`, 'POST', { status });
}

// Installs or removes the app.
export async function setOnetouch(authyId, onetouch) {
  return send(`/phone/devices/${authyId}`, 'PATCH', { onetouch });
}

// Calls `changed` at once and after each change, and `away` while the sandbox cannot be reached; it comes back by itself.
export function follow(changed, away) {
  const events = new EventSource('/phone/events');
  events.addEventListener('changed', changed);
  events.addEventListener('error', () => {
    away();
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(() => follow(changed, away), 1_000);
    }
  });
}
