import assert from 'node:assert/strict'
import { test } from 'node:test'

import { withAuthorities } from '../../bench/material/shapes.js'
import { createSite } from '../../bench/material/site.js'
import { microTasks } from '../../bench/micro/tasks.js'
import { microScope } from '../../bench/scopes/micro.js'

test('every single step of a reload that the bench reports can be measured', async (t) => {
  const site = createSite({ ...withAuthorities(2), hosts: 2 })
  t.after(() => site.remove())
  const tasks = await microTasks(site.files)
  for (const { before, run } of tasks) {
    before?.()
    await run()
  }
  assert.deepEqual(tasks.map(({ name }) => name).sort(), Object.keys(microScope.columns).sort())
})
