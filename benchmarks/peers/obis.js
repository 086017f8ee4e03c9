// How fast smartmeter-obis understands a telegram: node obis.js MODULE TELEGRAM SECONDS → data sets, telegrams per second.
'use strict';
const fs = require('fs');
const path = require('path');
const Protocol = require(path.join(process.argv[2], 'lib', 'protocols', 'D0Protocol.js'));
const text = fs.readFileSync(process.argv[3], 'latin1');
const seconds = Number(process.argv[4]);

let found = null;
// What it cannot parse it reports to its logger, which stays silent here; so it costs it nothing.
const options = { debug: 0, logger: () => {} };
function once() {
  const protocol = new Protocol(options, (err, data) => { if (data) found = data; });
  protocol.communicationState = 4;
  protocol.handleMessage(text);
}
once();
const start = process.hrtime.bigint();
let rounds = 0;
let spent = 0;
while (spent < seconds) {
  once();
  rounds += 1;
  spent = Number(process.hrtime.bigint() - start) / 1e9;
}
console.log(JSON.stringify({ sets: found ? Object.keys(found).length : 0, rate: rounds / spent }));
