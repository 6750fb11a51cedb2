#!/bin/sh
# After `azd provision`: makes the key that signs tokens, if there is none. May be repeated: an existing key stays, and with it
# every token that customers hold. To make a new one: docs/deployment.md.
#
# Through the management API, not the vault's own address: that answers in the private network only, and needs no role for us.
# The key goes from openssl to az by a file that only we can read; no argument, log or azd environment ever holds it.
set -eu
: "${AZURE_SUBSCRIPTION_ID:?is set by azd}" "${AZURE_RESOURCE_GROUP:?is an output of main.bicep}"
: "${KEY_VAULT_NAME:?is an output of main.bicep}" "${APP_NAME:?is an output of main.bicep}"

group="https://management.azure.com/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$AZURE_RESOURCE_GROUP"
secret="$group/providers/Microsoft.KeyVault/vaults/$KEY_VAULT_NAME/secrets/token-secret?api-version=2023-07-01"
references="$group/providers/Microsoft.Web/sites/$APP_NAME/config/configreferences/appsettings/refresh?api-version=2022-03-01"

problem=$(mktemp)
body=$(mktemp)
trap 'rm -f "$problem" "$body"' EXIT

if az rest --method get --uri "$secret" --output none 2>"$problem"; then
    echo "The token secret is there already."
    exit 0
fi
# Only "there is none" may lead to a new one: it would end every conversation.
if ! grep -q -e SecretNotFound -e ResourceNotFound -e "Not Found" "$problem"; then
    cat "$problem" >&2
    exit 1
fi

umask 077
printf '{"properties":{"value":"%s","contentType":"signs tokens"}}' "$(openssl rand -base64 48)" >"$body"
az rest --method put --uri "$secret" --body "@$body" --output none
# The app has looked for it in vain; without this it would look again within a day.
az rest --method post --uri "$references" --output none
echo "A token secret was made."
