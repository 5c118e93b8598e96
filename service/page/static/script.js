"use strict";
// The page works without this script; with it, files can be dropped, and progress is seen.

const find = (id) => document.getElementById(id);

function dropping() {
  const drop = find("drop"), input = drop.querySelector("input"), chosen = find("chosen");
  const tell = () => { chosen.textContent = Array.from(input.files, (file) => file.name).join(", "); };
  input.addEventListener("change", tell);
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; tell(); }
  });
}

function sending() {
  const form = find("send"), bar = find("sending"), wrong = find("wrong");
  const fail = (words) => { bar.hidden = true; wrong.textContent = words; wrong.hidden = false; };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    wrong.hidden = true;
    bar.hidden = false;
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (seen) => {
      if (seen.lengthComputable) { bar.value = 100 * seen.loaded / seen.total; }
    });
    request.addEventListener("error", () => fail("The connection is lost. Nothing was started."));
    request.addEventListener("load", () => {
      let said = {};
      try { said = JSON.parse(request.responseText); } catch { said = { error: "The server failed." }; }
      if (said.href) { location.assign(said.href); } else { fail(said.error); }
    });
    request.send(new FormData(form));
  });
}

function following(job) {
  const bar = find("progress"), phase = find("phase"), lost = find("lost");
  const source = new EventSource(`/v1/jobs/${job.dataset.id}/events`);
  source.addEventListener("open", () => { lost.hidden = true; });
  source.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data);
    phase.textContent = told.phase;
    if (told.percent === null) { bar.removeAttribute("value"); } else { bar.value = told.percent; }
  });
  source.addEventListener("over", () => { source.close(); location.reload(); });
  source.addEventListener("error", () => {
    lost.hidden = false;
    if (source.readyState === EventSource.CLOSED) { setTimeout(() => location.reload(), 3000); }
  });
}

if (find("drop")) { dropping(); }
if (find("send")) { sending(); }
if (find("job")) { following(find("job")); }
