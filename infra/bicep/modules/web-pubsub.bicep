// Where news are pushed: docs/decisions/0018. Left out unless asked for; without it clients poll.

param name string
param location string
param tags object
param principalId string

@allowed(['Free_F1', 'Standard_S1', 'Premium_P1'])
@description('Free: 20 connections and 20,000 messages a day. Standard: about $49 a month for each unit of 1,000 connections.')
param sku string = 'Standard_S1'

@minValue(1)
@maxValue(100)
@description('Of 1,000 connections each. Only Free has exactly one.')
param units int = 1

// Web PubSub Service Owner: sends to groups and makes clients' tokens. There is no smaller role for both.
var owner = '12cf5a90-567b-43ae-8102-96cf46c7d9b4'

resource service 'Microsoft.SignalRService/webPubSub@2024-03-01' = {
  name: name
  location: location
  tags: tags
  kind: 'WebPubSub'
  sku: { name: sku, capacity: units }
  properties: {
    // The app signs in by its identity: there are no keys to lose.
    disableLocalAuth: true
    disableAadAuth: false
    publicNetworkAccess: 'Enabled' // browsers of customers connect to it
    tls: { clientCertEnabled: false }
  }
}

// The hub has no event handlers: what clients send goes nowhere. Nobody connects without a token.
resource hub 'Microsoft.SignalRService/webPubSub/hubs@2024-03-01' = {
  parent: service
  name: 'support'
  properties: {
    anonymousConnectPolicy: 'deny'
    eventHandlers: []
  }
}

resource grant 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: service
  name: guid(service.id, principalId, owner)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', owner)
  }
}

output endpoint string = 'https://${service.properties.hostName}'
