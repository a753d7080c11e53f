// pm2 start ecosystem.config.cjs
module.exports = {
  apps: [
    {
      name: 'app',
      script: 'pm2.js',
      exec_mode: 'cluster',
      instances: 2,
      wait_ready: true, // a new process counts when it has sent `ready`, and the old one serves until then
      listen_timeout: 10_000, // milliseconds until PM2 takes it for ready anyway
      kill_timeout: 30_000, // above deadlineMs; PM2 sends SIGKILL after it, by default after 1.6 s
    },
  ],
}
