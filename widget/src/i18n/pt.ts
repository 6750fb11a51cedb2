import type { Texts } from "./en";

const texts: Texts = {
  title: "Ajuda",
  greeting: "Olá! Pergunte o que quiser. Respondo com base nos nossos documentos e mostro onde está escrito.",
  suggestions: "Perguntas sugeridas",

  open: "Abrir o chat de suporte",
  close: "Fechar o chat",
  unread: "{n} por ler",
  assistant: "Assistente de IA",
  team: "Equipa de suporte",
  you: "Você",
  waiting: "À espera de um colega",

  menu: "Mais opções",
  restart: "Nova conversa",
  person: "Falar com uma pessoa",
  download: "Descarregar a conversa",
  erase: "Apagar os meus dados",

  conversation: "Conversa",
  message: "A sua mensagem",
  placeholder: "Escreva uma mensagem…",
  send: "Enviar",
  typing: "À procura de uma resposta…",
  recovering: "A ligação foi interrompida. A recuperar a sua resposta…",
  unsent: "Não enviada",

  attach: "Anexar ficheiros",
  drop: "Largue os ficheiros aqui",
  remove: "Remover {name}",
  uploading: "A carregar, {n} %",
  unreadable: "não pôde ser lido",
  aboutFiles: "Acrescente algumas palavras sobre o ficheiro.",
  tooMany: "Cada mensagem pode levar no máximo {n} ficheiros.",
  tooLarge: "{name} tem mais de {n} MB.",
  empty: "{name} está vazio.",
  wrongKind: "{name} não pode ser lido aqui. Envie PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV ou texto.",

  source: "Fonte {n}: {name}",
  sources: "Fontes",
  document: "Documento",
  section: "Secção",
  page: "Página",
  passage: "Passagem citada",
  openDocument: "Abrir o documento",
  newTab: "(abre num novo separador)",
  closePanel: "Fechar",

  helpful: "Útil",
  unhelpful: "Não foi útil",
  thanks: "Obrigado!",
  comment: "Quer dizer mais alguma coisa? (opcional)",
  sendComment: "Enviar comentário",
  skip: "Não, obrigado",

  escalated: "Um colega vai continuar",
  reference: "Referência",
  escalatedHint: "Pode fechar esta janela. A resposta aparecerá aqui.",

  offline: "Está sem ligação. Continuamos assim que voltar a estar ligado.",
  unreachable: "De momento não estamos disponíveis. Tente de novo dentro de um minuto.",
  failed: "Não foi possível terminar a resposta. Tente de novo.",
  limited: "Foram muitas mensagens seguidas. Continuamos dentro de {n} s.",
  refused: "Não foi possível. {detail}",
  ended: "Esta conversa terminou. Comece uma nova para continuar.",
  identity: "Não conseguimos confirmar quem é. Recarregue a página ou inicie sessão de novo.",
  erased: "A sua conversa foi apagada.",
  retry: "Tentar de novo",

  eraseTitle: "Apagar esta conversa?",
  eraseText: "Tudo o que foi dito, os seus ficheiros e os seus pedidos à equipa são apagados para sempre.",
  eraseConfirm: "Apagar",
  cancel: "Cancelar",
};

export default texts;
