"use strict";
const tip = document.getElementById("tip");
const charts = [...document.querySelectorAll(".chart svg")];
const milliseconds = value => value === null ? "-" : `${value < 10 ? value.toFixed(2) : value.toFixed(value < 100 ? 1 : 0)} ms`;

function nearest(seconds) {
  let best = null;
  for (const point of timeline.points)
    if (best === null || Math.abs(point[0] - seconds) < Math.abs(best[0] - seconds)) best = point;
  return best;
}

function hide() {
  tip.hidden = true;
  for (const chart of charts) chart.querySelector(".cursor").setAttribute("visibility", "hidden");
}

for (const chart of charts) {
  const left = +chart.dataset.left, right = +chart.dataset.right;
  chart.addEventListener("pointermove", event => {
    const box = chart.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * chart.viewBox.baseVal.width;
    const point = nearest((x - left) / (right - left) * timeline.seconds);
    if (point === null || x < left - 10 || x > right + 10) return hide();
    const [at, rate, errors, p50, p99, longest] = point;
    tip.textContent = [
      `${at.toFixed(1)} s`, `${Math.round(rate).toLocaleString("en")} operations a second`,
      `p50 ${milliseconds(p50)}   p99 ${milliseconds(p99)}`, `longest ${milliseconds(longest)}`,
      `${errors.toFixed(errors < 10 ? 1 : 0)} errors a second`,
    ].join("\n");
    tip.hidden = false;
    const beside = event.clientX + 16 + tip.offsetWidth > innerWidth ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16;
    tip.style.left = `${Math.max(4, beside)}px`;
    tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 4))}px`;
    const to = left + (right - left) * at / timeline.seconds;
    for (const other of charts) {
      const cursor = other.querySelector(".cursor");
      cursor.setAttribute("x1", to);
      cursor.setAttribute("x2", to);
      cursor.setAttribute("visibility", "visible");
    }
  });
  chart.addEventListener("pointerleave", hide);
}
