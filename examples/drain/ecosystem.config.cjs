// pm2 start ecosystem.config.cjs
module.exports = {
  apps: [
    {
      name: 'app',
      script: 'pm2.js',
      exec_mode: 'cluster',
      instances: 2,
      wait_ready: true, // the old process serves until the new one has sent `ready`
      listen_timeout: 30_000, // longer than any start: PM2 then considers the process ready, and ends the old one
      kill_timeout: 30_000, // longer than deadlineMs: PM2 then sends SIGKILL; its default is 1600 ms
    },
  ],
}
