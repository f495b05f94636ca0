// Numbers, times and shares as words. Nothing here touches the page.

const DAY_MS = 86_400_000;

/**
 * 0.814 → "81 %"; never "0 %" or "100 %" for what is neither.
 *
 * @param {number} prob
 */
export function percent(prob) {
  if (prob > 0 && prob < 0.005) return "<1\u00a0%";
  if (prob < 1 && prob >= 0.995) return ">99\u00a0%";
  return `${Math.round(100 * prob)}\u00a0%`;
}

/**
 * 1.234 → "+1.23", −0.5 → "−0.50" with a real minus sign.
 *
 * @param {number} number
 * @param {number} [digits]
 */
export function signed(number, digits = 2) {
  const text = Math.abs(number).toFixed(digits);
  if (Number(text) === 0) return text;
  return (number < 0 ? "\u2212" : "+") + text;
}

/**
 * "about 3 minutes".
 *
 * @param {number} seconds
 */
export function duration(seconds) {
  const [amount, unit] = seconds < 90 ? [seconds, "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  const whole = Math.max(1, Math.round(amount));
  return `about ${whole} ${unit}${whole === 1 ? "" : "s"}`;
}

/**
 * "today at 14:05", "Tuesday", "3 March", "3 March 2024".
 *
 * @param {string} iso
 * @param {Date} [now]
 */
export function when(iso, now = new Date()) {
  const then = new Date(iso);
  /** @param {Date} date */
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
  const days = Math.round((midnight(now).getTime() - midnight(then).getTime()) / DAY_MS);
  if (days <= 0) return `today at ${then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
  if (days < 7) return then.toLocaleDateString("en-GB", { weekday: "long" });
  return then.toLocaleDateString("en-GB", {
    day: "numeric",
    month: "long",
    year: then.getFullYear() === now.getFullYear() ? undefined : "numeric",
  });
}

/**
 * @param {number} number
 * @param {string} one
 * @param {string} many
 */
export function counted(number, one, many) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/**
 * 0.9134 → "91.3 %".
 *
 * @param {number} value
 */
export function share(value) {
  return `${(100 * value).toFixed(1)}\u00a0%`;
}

/**
 * Seconds that have gone by: "4 s", "12 min", "1 h 05 min".
 *
 * @param {number} seconds
 */
export function elapsed(seconds) {
  if (seconds < 90) return `${Math.round(seconds)}\u00a0s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes}\u00a0min` : `${Math.floor(minutes / 60)}\u00a0h\u00a0${String(minutes % 60).padStart(2, "0")}\u00a0min`;
}
