// What Storage tells of the documents. Who listens is said by `infra/hooks/postdeploy.sh`: an address with a key that the host
// makes when it starts, and a function that must be deployed. $0.60 per million events.

param name string
param location string
param tags object
@description('The account of the documents.')
param sourceId string

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    source: sourceId
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

output name string = topic.name
