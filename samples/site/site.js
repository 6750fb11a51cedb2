// "Ask the assistant" opens the chat, once it is there.
document.getElementById("ask").addEventListener("click", () => {
  if (window.SupportAgent) window.SupportAgent.open();
  else addEventListener("support-agent-ready", () => window.SupportAgent.open(), { once: true });
});
