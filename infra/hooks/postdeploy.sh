#!/bin/sh
# After `azd deploy`: tells Event Grid who listens to the documents. Only now, because both listeners are made by the app's first
# start: the host's key for blob events, and the function for deletes. May be repeated: a subscription is replaced by itself.
set -eu
: "${AZURE_SUBSCRIPTION_ID:?is set by azd}" "${AZURE_RESOURCE_GROUP:?is an output of main.bicep}"
: "${APP_NAME:?is an output of main.bicep}" "${EVENT_TOPIC_NAME:?is an output of main.bicep}"
attempts=${ATTEMPTS:-30}
pause=${PAUSE:-10}

app="/subscriptions/$AZURE_SUBSCRIPTION_ID/resourceGroups/$AZURE_RESOURCE_GROUP/providers/Microsoft.Web/sites/$APP_NAME"

# wait_for WHAT COMMAND…: what it prints, as soon as it prints something.
wait_for() {
    what=$1
    shift
    n=0
    while [ "$n" -lt "$attempts" ]; do
        found=$("$@" 2>/dev/null) || found=""
        if [ -n "$found" ]; then
            printf '%s' "$found"
            return
        fi
        n=$((n + 1))
        sleep "$pause"
    done
    echo "There is no $what after $attempts attempts: does the app start? See its log stream." >&2
    return 1
}

subscribe() {
    az eventgrid system-topic event-subscription create --output none \
        --resource-group "$AZURE_RESOURCE_GROUP" --system-topic-name "$EVENT_TOPIC_NAME" \
        --subject-begins-with /blobServices/default/containers/documents/ \
        --max-delivery-attempts 30 --event-ttl 1440 "$@"
}

echo "Waiting for the app's functions …"
wait_for "function forget_blob" az functionapp function show --resource-group "$AZURE_RESOURCE_GROUP" --name "$APP_NAME" \
    --function-name forget_blob --query name --output tsv >/dev/null
key=$(wait_for "key blobs_extension" az functionapp keys list --resource-group "$AZURE_RESOURCE_GROUP" --name "$APP_NAME" \
    --query systemKeys.blobs_extension --output tsv)
host=$(az functionapp show --resource-group "$AZURE_RESOURCE_GROUP" --name "$APP_NAME" --query defaultHostName --output tsv)

subscribe --name documents-created --included-event-types Microsoft.Storage.BlobCreated --endpoint-type webhook \
    --endpoint "https://$host/runtime/webhooks/blobs?functionName=Host.Functions.ingest_blob&code=$key"
# The blob trigger never hears of a delete.
subscribe --name documents-deleted --included-event-types Microsoft.Storage.BlobDeleted --endpoint-type azurefunction \
    --endpoint "$app/functions/forget_blob"
echo "New, changed and deleted documents are told to the app."
