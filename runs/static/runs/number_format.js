// Formats numbers, shares and times as metrics/number_format.py does: one table of cases tests both.
"use strict";

window.TokenBurnFormat = (() => {
  const NOTHING = "-";
  const EXACT_DIGITS = 6;

  const isMissing = (value) => value === null || value === undefined;

  function grouped(text) {
    const [whole, decimals] = text.split(".");
    return whole.replace(/\B(?=(\d{3})+$)/g, ",") + (decimals ? `.${decimals}` : "");
  }

  // A tie goes to the even digit, as in Python; toFixed rounds it up. It is one if 2^(digits + 1) values are odd.
  function fixed(value, digits) {
    const size = Math.abs(value);
    if ((size * 2 ** (digits + 1)) % 2 !== 1) return grouped(value.toFixed(digits));
    const below = Math.floor(size * 10 ** digits);
    const even = below % 2 ? below + 1 : below;
    return (value < 0 ? "-" : "") + grouped((even / 10 ** digits).toFixed(digits));
  }

  // A measured value.
  function number(value) {
    if (isMissing(value)) return NOTHING;
    if (Number.isInteger(value)) return fixed(value, 0);
    const size = Math.abs(value);
    return fixed(value, size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : size >= 0.01 ? 3 : 4);
  }

  // A value that somebody set, or of an axis.
  function exact(value) {
    if (Number.isInteger(value)) return fixed(value, 0);
    const digits = Math.max(0, EXACT_DIGITS - 1 - Math.floor(Math.log10(Math.abs(value))));
    const text = fixed(value, digits);
    return digits ? text.replace(/\.?0+$/, "") : text;
  }

  // A part of a whole, 0 to 1, in percent.
  const share = (value) => (isMissing(value) ? NOTHING : `${fixed(value * 100, 2)}%`);

  function clock(seconds) {
    const whole = Math.max(0, Math.trunc(seconds));
    const two = (part) => String(part).padStart(2, "0");
    const hours = Math.floor(whole / 3600);
    const minutes = Math.floor(whole / 60) % 60;
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  }

  // A time since the start, on an axis.
  const elapsed = (seconds) => (seconds < 60 ? `${exact(Number(seconds.toFixed(2)))} s` : clock(seconds));

  return { number, exact, share, clock, elapsed };
})();
