import type { Texts } from "./en";

const texts: Texts = {
  title: "Ayuda",
  greeting: "¡Hola! Pregúntame lo que quieras. Respondo a partir de nuestros documentos y te muestro dónde lo dicen.",
  suggestions: "Preguntas sugeridas",

  open: "Abrir el chat de ayuda",
  close: "Cerrar el chat",
  unread: "{n} sin leer",
  assistant: "Asistente de IA",
  team: "Equipo de soporte",
  you: "Tú",
  waiting: "Esperando a un agente",

  menu: "Más opciones",
  restart: "Nueva conversación",
  person: "Hablar con una persona",
  download: "Descargar la conversación",
  erase: "Borrar mis datos",

  conversation: "Conversación",
  message: "Tu mensaje",
  placeholder: "Escribe un mensaje…",
  send: "Enviar",
  typing: "Buscando una respuesta…",
  recovering: "Se interrumpió la conexión. Recuperando tu respuesta…",
  unsent: "No enviado",

  attach: "Adjuntar archivos",
  drop: "Suelta los archivos aquí",
  remove: "Quitar {name}",
  uploading: "Subiendo, {n} %",
  unreadable: "no se pudo leer",
  aboutFiles: "Añade unas palabras sobre el archivo.",
  tooMany: "Un mensaje admite como máximo {n} archivos.",
  tooLarge: "{name} ocupa más de {n} MB.",
  empty: "{name} está vacío.",
  wrongKind: "{name} no se puede leer aquí. Envía PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV o texto.",

  source: "Fuente {n}: {name}",
  sources: "Fuentes",
  document: "Documento",
  section: "Sección",
  page: "Página",
  passage: "Pasaje citado",
  openDocument: "Abrir el documento",
  newTab: "(se abre en una pestaña nueva)",
  closePanel: "Cerrar",

  helpful: "Útil",
  unhelpful: "No es útil",
  thanks: "¡Gracias!",
  comment: "¿Quieres contarnos algo más? (opcional)",
  sendComment: "Enviar comentario",
  skip: "No, gracias",

  escalated: "Una persona continuará contigo",
  reference: "Referencia",
  escalatedHint: "Puedes cerrar esta ventana. La respuesta aparecerá aquí.",

  offline: "No tienes conexión. Seguiremos en cuanto la recuperes.",
  unreachable: "Ahora mismo no estamos disponibles. Inténtalo de nuevo en un minuto.",
  failed: "No se pudo terminar la respuesta. Inténtalo de nuevo.",
  limited: "Son muchos mensajes seguidos. Continuamos en {n} s.",
  refused: "No se pudo hacer. {detail}",
  ended: "Esta conversación ha terminado. Empieza una nueva para continuar.",
  identity: "No hemos podido confirmar quién eres. Recarga la página o vuelve a iniciar sesión.",
  erased: "Tu conversación se ha borrado.",
  retry: "Reintentar",

  eraseTitle: "¿Borrar esta conversación?",
  eraseText: "Se borrará para siempre todo lo dicho, tus archivos y tus consultas a nuestro equipo.",
  eraseConfirm: "Borrar",
  cancel: "Cancelar",
};

export default texts;
