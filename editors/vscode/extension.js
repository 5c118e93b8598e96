"use strict";
// Starts `upconv lsp`, and asks the user for what no protocol can ask: a reason, a size.

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

const SET_SIZE = "upconv.setInputSize";
const SHOW_AUDIT = "upconv.showAudit";
const SELECTOR = ["prototxt", "python", "json", "pbtxt"].map((language) => ({ language }));

let client;

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("upconv.restart", restart),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("upconv.command")) restart();
    }),
  );
  await start();
}

async function start() {
  const [command, ...args] = vscode.workspace.getConfiguration("upconv").get("command");
  const options = {
    documentSelector: SELECTOR,
    middleware: { resolveCodeAction: withReason, executeCommand: withArguments },
  };
  client = new LanguageClient("upconv", "upconv", { command, args }, options);
  client.error = (message, data) => client.warn(message, data, false); // it is told below, once
  try {
    await client.start();
    delete client.error;
  } catch (error) {
    const why = error && error.message ? `: ${error.message}` : "";
    const told = `upconv: "${command}" cannot be started${why}`;
    const open = "Open the settings";
    vscode.window.showErrorMessage(`${told} (pip install 'upconv[lsp]')`, open).then((chosen) => {
      if (chosen) vscode.commands.executeCommand("workbench.action.openSettings", "upconv.command");
    });
  }
}

async function restart() {
  const old = client;
  client = undefined;
  if (old && old.needsStop()) await old.stop();
  await start();
}

// An ignore has a reason, which the server puts into the comment.
async function withReason(action, token, next) {
  const data = action.data;
  if (data && data.how === "ignore") {
    const prompt = "Why is this not a problem here?";
    const reason = await vscode.window.showInputBox({ prompt, placeHolder: "the paper has it" });
    if (reason === undefined) return action; // the user thought better of it: nothing is changed
    data.reason = reason;
  }
  return next(action, token);
}

// Commands come from a lens, with the text that they are about, or from the palette, with nothing.
async function withArguments(command, args, next) {
  const given = [...args];
  if (command === SET_SIZE || command === SHOW_AUDIT) {
    const active = vscode.window.activeTextEditor;
    if (given.length === 0 && active) given.push(active.document.uri.toString());
    if (given.length === 0) return undefined;
  }
  if (command === SET_SIZE && given.length === 1) {
    const prompt = "Height and width, or NAME=shape; nothing for the file's own";
    const size = await vscode.window.showInputBox({ prompt, placeHolder: "480x640" });
    if (size === undefined) return undefined;
    given.push(size.trim());
  }
  try {
    return await next(command, given);
  } catch (error) {
    vscode.window.showErrorMessage(`upconv: ${error.message}`);
    return undefined;
  }
}

function deactivate() {
  return client && client.needsStop() ? client.stop() : undefined;
}

module.exports = { activate, deactivate };
