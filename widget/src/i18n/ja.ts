import type { Texts } from "./en";

const texts: Texts = {
  title: "サポート",
  greeting: "こんにちは。ご質問をどうぞ。資料をもとにお答えし、該当箇所をお見せします。",
  suggestions: "よくあるご質問",

  open: "サポートチャットを開く",
  close: "チャットを閉じる",
  unread: "新着 {n} 件",
  assistant: "AIアシスタント",
  team: "サポート担当",
  you: "お客様",
  waiting: "担当者をお待ちください",

  menu: "その他の操作",
  restart: "新しい会話",
  person: "担当者と話す",
  download: "会話をダウンロード",
  erase: "自分のデータを削除",

  conversation: "会話",
  message: "メッセージ",
  placeholder: "メッセージを入力…",
  send: "送信",
  typing: "回答を探しています…",
  recovering: "接続が切れました。回答を取得しています…",
  unsent: "未送信",

  attach: "ファイルを添付",
  drop: "ここにファイルをドロップ",
  remove: "{name} を外す",
  uploading: "アップロード中 {n} %",
  unreadable: "読み取れませんでした",
  aboutFiles: "ファイルについて一言お書きください。",
  tooMany: "1 件のメッセージに添付できるのは {n} 個までです。",
  tooLarge: "{name} は {n} MB を超えています。",
  empty: "{name} は空です。",
  wrongKind: "{name} は読み取れません。PDF、Word、Excel、PowerPoint、HTML、Markdown、CSV、テキストをお送りください。",

  source: "出典 {n}: {name}",
  sources: "出典",
  document: "資料",
  section: "項目",
  page: "ページ",
  passage: "引用箇所",
  openDocument: "資料を開く",
  newTab: "(新しいタブで開きます)",
  closePanel: "閉じる",

  helpful: "役に立った",
  unhelpful: "役に立たなかった",
  thanks: "ありがとうございます。",
  comment: "ご意見があればお聞かせください(任意)",
  sendComment: "コメントを送信",
  skip: "送らない",

  escalated: "担当者が引き継ぎます",
  reference: "受付番号",
  escalatedHint: "このウィンドウは閉じても構いません。回答はここに届きます。",

  offline: "オフラインです。接続が戻り次第、続けます。",
  unreachable: "現在つながりません。1 分ほどしてからもう一度お試しください。",
  failed: "回答を完了できませんでした。もう一度お試しください。",
  limited: "送信が続いたため、{n} 秒後に再開します。",
  refused: "実行できませんでした。{detail}",
  ended: "この会話は終了しました。新しい会話を始めてください。",
  identity: "ご本人を確認できませんでした。ページを再読み込みするか、もう一度ログインしてください。",
  erased: "会話を削除しました。",
  retry: "もう一度試す",

  eraseTitle: "この会話を削除しますか?",
  eraseText: "会話の内容、ファイル、担当者への依頼がすべて完全に削除されます。",
  eraseConfirm: "削除",
  cancel: "キャンセル",
};

export default texts;
