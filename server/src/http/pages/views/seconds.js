// What is shown anew every few seconds, as long as anybody can see it.

export function every(seconds, show) {
  setInterval(() => {
    if (!document.hidden) {
      show();
    }
  }, seconds * 1_000);
}
