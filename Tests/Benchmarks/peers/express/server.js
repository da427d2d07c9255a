// The small service on express: GET /ping and GET /v1/device with the key, built from values at every request.
//
// usage: node server.js PORT KEY-FILE VALUES-FILE
'use strict';

const crypto = require('crypto');
const express = require('express');
const fs = require('fs');

const [port, keyFile, valuesFile] = process.argv.slice(2);
const key = Buffer.from(fs.readFileSync(keyFile));
const values = JSON.parse(fs.readFileSync(valuesFile));

const device = {
    status: () => values.status,
    locks: () => [],
};

function isKey(text) {
    const given = Buffer.from(text);
    return given.length === key.length && crypto.timingSafeEqual(given, key);
}

const app = express();
app.disable('x-powered-by');
// We send none, and it would cost a hash for each answer.
app.disable('etag');

let count = 0;
app.use((request, response, next) => {
    response.setHeader('X-Request-Id', 'peer-' + (++count).toString(36));
    const given = request.query.apikey;
    const [scheme, bearer] = (request.headers.authorization || '').split(' ');
    if (typeof given === 'string' && isKey(given)) {
        next();
    } else if (scheme.toLowerCase() === 'bearer' && isKey(bearer || '')) {
        next();
    } else {
        response.status(401).type('text/plain').send('Unauthorized');
    }
});
app.get('/ping', (request, response) => {
    response.type('text/plain').send('OK');
});
app.get('/v1/device', (request, response) => {
    response.json({
        api_port: values.api_port,
        ip_address: values.ip_address,
        commit: values.commit,
        status: device.status(),
        download_progress: null,
        os_version: values.os_version,
        supervisor_version: values.supervisor_version,
        update_pending: false,
        update_downloaded: false,
        update_failed: false,
        update_error: null,
        locks: device.locks(),
        connectivity: null,
    });
});

const server = app.listen(Number(port), '127.0.0.1');
server.keepAliveTimeout = 60000;
process.on('SIGTERM', () => process.exit(0));
