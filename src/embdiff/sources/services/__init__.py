"""Models that another host runs, asked over HTTP: OpenAI-compatible servers, Ollama, Cohere, Voyage, Gemini."""
