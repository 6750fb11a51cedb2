import type { Texts } from "./en";

const texts: Texts = {
  title: "Hilfe",
  greeting: "Hallo! Fragen Sie mich, was Sie möchten. Ich antworte aus unseren Dokumenten und zeige Ihnen die Stelle.",
  suggestions: "Vorgeschlagene Fragen",

  open: "Support-Chat öffnen",
  close: "Chat schließen",
  unread: "{n} neu",
  assistant: "KI-Assistent",
  team: "Support-Team",
  you: "Sie",
  waiting: "Warten auf eine Kollegin oder einen Kollegen",

  menu: "Weitere Optionen",
  restart: "Neue Unterhaltung",
  person: "Mit einem Menschen sprechen",
  download: "Verlauf herunterladen",
  erase: "Meine Daten löschen",

  conversation: "Unterhaltung",
  message: "Ihre Nachricht",
  placeholder: "Nachricht schreiben…",
  send: "Senden",
  typing: "Antwort wird gesucht…",
  recovering: "Die Verbindung war unterbrochen. Ihre Antwort wird geholt…",
  unsent: "Nicht gesendet",

  attach: "Dateien anhängen",
  drop: "Dateien hier ablegen",
  remove: "{name} entfernen",
  uploading: "Wird hochgeladen, {n} %",
  unreadable: "nicht lesbar",
  aboutFiles: "Schreiben Sie ein paar Worte zur Datei.",
  tooMany: "Mit einer Nachricht können höchstens {n} Dateien gesendet werden.",
  tooLarge: "{name} ist größer als {n} MB.",
  empty: "{name} ist leer.",
  wrongKind: "{name} kann hier nicht gelesen werden. Möglich sind PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV und Text.",

  source: "Quelle {n}: {name}",
  sources: "Quellen",
  document: "Dokument",
  section: "Abschnitt",
  page: "Seite",
  passage: "Zitierte Stelle",
  openDocument: "Dokument öffnen",
  newTab: "(öffnet sich in einem neuen Tab)",
  closePanel: "Schließen",

  helpful: "Hilfreich",
  unhelpful: "Nicht hilfreich",
  thanks: "Danke!",
  comment: "Möchten Sie mehr dazu sagen? (freiwillig)",
  sendComment: "Kommentar senden",
  skip: "Nein, danke",

  escalated: "Ein Mensch übernimmt",
  reference: "Vorgang",
  escalatedHint: "Sie können dieses Fenster schließen. Die Antwort finden Sie hier.",

  offline: "Sie sind offline. Sobald Sie wieder verbunden sind, geht es weiter.",
  unreachable: "Wir sind gerade nicht erreichbar. Versuchen Sie es in einer Minute noch einmal.",
  failed: "Die Antwort konnte nicht fertiggestellt werden. Versuchen Sie es noch einmal.",
  limited: "Das war viel auf einmal. In {n} s geht es weiter.",
  refused: "Das ging nicht. {detail}",
  ended: "Diese Unterhaltung ist beendet. Beginnen Sie eine neue, um fortzufahren.",
  identity: "Wir konnten nicht bestätigen, wer Sie sind. Laden Sie die Seite neu oder melden Sie sich erneut an.",
  erased: "Ihre Unterhaltung wurde gelöscht.",
  retry: "Noch einmal versuchen",

  eraseTitle: "Diese Unterhaltung löschen?",
  eraseText: "Alles Gesagte, Ihre Dateien und Ihre Anfragen an unser Team werden endgültig gelöscht.",
  eraseConfirm: "Löschen",
  cancel: "Abbrechen",
};

export default texts;
