import type { Texts } from "./en";

const texts: Texts = {
  title: "Aide",
  greeting: "Bonjour ! Posez-moi vos questions. Je réponds d’après nos documents et vous montre le passage.",
  suggestions: "Questions suggérées",

  open: "Ouvrir le chat d’assistance",
  close: "Fermer le chat",
  unread: "{n} nouveau(x)",
  assistant: "Assistant IA",
  team: "Équipe d’assistance",
  you: "Vous",
  waiting: "En attente d’un conseiller",

  menu: "Plus d’options",
  restart: "Nouvelle conversation",
  person: "Parler à un conseiller",
  download: "Télécharger la conversation",
  erase: "Supprimer mes données",

  conversation: "Conversation",
  message: "Votre message",
  placeholder: "Écrire un message…",
  send: "Envoyer",
  typing: "Recherche d’une réponse…",
  recovering: "La connexion a été interrompue. Récupération de la réponse…",
  unsent: "Non envoyé",

  attach: "Joindre des fichiers",
  drop: "Déposez les fichiers ici",
  remove: "Retirer {name}",
  uploading: "Envoi des fichiers, {n} %",
  unreadable: "illisible",
  aboutFiles: "Ajoutez quelques mots au sujet du fichier.",
  tooMany: "Un message peut contenir au plus {n} fichiers.",
  tooLarge: "{name} dépasse {n} Mo.",
  empty: "{name} est vide.",
  wrongKind: "{name} ne peut pas être lu ici. Envoyez du PDF, Word, Excel, PowerPoint, HTML, Markdown, CSV ou texte.",

  source: "Source {n} : {name}",
  sources: "Sources",
  document: "Document",
  section: "Section",
  page: "Page",
  passage: "Passage cité",
  openDocument: "Ouvrir le document",
  newTab: "(s’ouvre dans un nouvel onglet)",
  closePanel: "Fermer",

  helpful: "Utile",
  unhelpful: "Pas utile",
  thanks: "Merci !",
  comment: "Souhaitez-vous en dire plus ? (facultatif)",
  sendComment: "Envoyer le commentaire",
  skip: "Non, merci",

  escalated: "Un conseiller va prendre le relais",
  reference: "Référence",
  escalatedHint: "Vous pouvez fermer cette fenêtre. La réponse sera ici.",

  offline: "Vous êtes hors ligne. Nous continuerons dès que vous serez reconnecté.",
  unreachable: "Nous sommes injoignables pour le moment. Réessayez dans une minute.",
  failed: "La réponse n’a pas pu être terminée. Réessayez.",
  limited: "Cela fait beaucoup à la fois. Nous continuons dans {n} s.",
  refused: "Cela n’a pas été possible. {detail}",
  ended: "Cette conversation est terminée. Commencez-en une nouvelle pour continuer.",
  identity: "Nous n’avons pas pu confirmer votre identité. Rechargez la page ou reconnectez-vous.",
  erased: "Votre conversation a été supprimée.",
  retry: "Réessayer",

  eraseTitle: "Supprimer cette conversation ?",
  eraseText: "Tous les messages, vos fichiers et vos demandes à nos conseillers seront définitivement supprimés.",
  eraseConfirm: "Supprimer",
  cancel: "Annuler",
};

export default texts;
