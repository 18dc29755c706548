// Questions to the service over HTTP. What it refuses is data in its answers; what goes wrong on the way is a Fault, whose
// message may be shown. The session lives in a cookie that no script sees.

const PATIENCE_MS = 20_000;

export class Fault extends Error {}

// Sends one operation and gives its data.
export async function ask(query, variables = {}) {
  const answer = await send(JSON.stringify({ query, variables }));
  const { data, errors = [] } = await read(answer);
  if (errors.length > 0 || !data) {
    throw new Fault(said(errors[0]));
  }
  return data;
}

async function send(body) {
  try {
    return await fetch('/graphql', {
      method: 'POST',
      credentials: 'same-origin',
      headers: {
        'content-type': 'application/json',
        accept: 'application/graphql-response+json, application/json;q=0.9',
      },
      body,
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
  } catch {
    throw new Fault('The service cannot be reached. Check your connection, and try again.');
  }
}

async function read(answer) {
  try {
    return await answer.json();
  } catch {
    throw new Fault('The service gave no answer that makes sense. Please try again in a moment.');
  }
}

function said(error) {
  const id = error?.extensions?.requestId;
  return id ? `Something went wrong on our side. If you ask us about it, say ${id}.` : 'Something went wrong. Please try again.';
}
