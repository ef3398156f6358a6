// A board with blynk-library 0.5.4: `board.js host port token [certificate]`, by TLS when a certificate is given.
// The library reconnects by itself.
'use strict';

const readline = require('readline');
const { Blynk, SslClient, TcpClient } = require('blynk-library');

const [addr, port, token, certificate] = process.argv.slice(2);
const options = { addr, port: Number(port) };
const connector = certificate ? new SslClient({ ...options, ca: [certificate] }) : new TcpClient(options);
const blynk = new Blynk(token, { connector });
const pins = new Map([1, 2].map((pin) => [pin, new blynk.VirtualPin(pin)]));

const tell = (event, details) => console.log('@' + JSON.stringify({ event, ...details }));

blynk.on('connect', () => tell('connected'));
blynk.on('error', (reason) => tell('error', { reason }));
for (const [pin, virtual] of pins) virtual.on('write', (value) => tell('write', { pin, value }));

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [command, pin, ...values] = line.split(' ');
    if (command === 'write') blynk.virtualWrite(Number(pin), values);
    if (command === 'sync') blynk.syncVirtual(Number(pin));
  })
  .on('close', () => process.exit(0));
