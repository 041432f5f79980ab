// What the tests of openai-node share: the package under test, where the server is, what is asked of it.

export const url = process.env.MOCK_URL;
export const key = process.env.MOCK_KEY;

// The same tests run against several majors; the others are installed under a name of their own.
const sdk = await import(process.env.OPENAI_PACKAGE ?? 'openai');
export const { OpenAI, AzureOpenAI } = sdk;
export const errors = sdk;

export const greeting = ['Hello', '!', ' How', ' can', ' I', ' help', ' you', ' today', '?'];
export const model = 'gpt-4o-mini';
export const ask = (content) => [{ role: 'user', content }];
export const weather = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
    },
  },
];

export function openai(options = {}) {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0, ...options });
}

export function azure(options = {}) {
  return new AzureOpenAI({ endpoint: url, apiKey: key, apiVersion: '2024-10-21', maxRetries: 0, ...options });
}

export async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

export function spoken(chunks) {
  return chunks
    .flatMap((chunk) => chunk.choices)
    .map((choice) => choice.delta?.content ?? '')
    .join('');
}
