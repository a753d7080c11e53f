// pm2 start ecosystem.config.cjs
module.exports = {
  apps: [
    {
      name: 'app',
      script: 'pm2.js',
      exec_mode: 'cluster',
      instances: 2,
      wait_ready: true, // a new process counts when it has sent `ready`, and the old one serves until then
      listen_timeout: 30_000, // above the longest start: PM2 takes it for ready then, and ends the old one
      kill_timeout: 30_000, // above deadlineMs: PM2 sends SIGKILL then; its default is 1600 ms
    },
  ],
}
