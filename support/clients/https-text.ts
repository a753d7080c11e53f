import https from 'node:https'

/** The text of the response to a GET request. */
export async function got(options: https.RequestOptions): Promise<string> {
  return await new Promise((resolve, reject) => {
    https
      .get({ host: 'localhost', ...options }, (response) => {
        let text = ''
        response.on('data', (data) => {
          text += String(data)
        })
        response.on('end', () => resolve(text)).on('error', reject)
      })
      .on('error', reject)
  })
}
