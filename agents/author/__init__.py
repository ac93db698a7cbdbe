"""A stand-in for the model that writes prompts: three scripts that speak OpenAI's chat completions. No model."""
