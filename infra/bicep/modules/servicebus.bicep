// The ticket queues. Their properties are decided in docs/decisions/0010; a test compares them with the code.

param name string
param location string
param tags object
param principalId string
param operatorPrincipalId string
param operatorPrincipalType string

@allowed(['Standard', 'Premium'])
@description('Standard: about $10 a month. Premium: about $680 a month; only it has private endpoints.')
param sku string
param endpointSubnetId string

var receiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
var sender = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'
var private = sku == 'Premium' && !empty(endpointSubnetId)
var queues = ['escalation-requests', 'escalations', 'webhook-deliveries']

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: sku, tier: sku }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: private ? 'Disabled' : 'Enabled'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for queueName in queues: {
    parent: namespace
    name: queueName
    properties: {
      // Fixed when the queue is made: a change needs a new queue.
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT10M'
      requiresSession: false
      enablePartitioning: false
      lockDuration: 'PT1M'
      maxDeliveryCount: 10
      maxSizeInMegabytes: 1024
    }
  }
]

// Nobody needs the right to manage.
resource grants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [receiver, sender]: {
    scope: namespace
    name: guid(namespace.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource operatorGrants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [receiver, sender]: if (!empty(operatorPrincipalId)) {
    scope: namespace
    name: guid(namespace.id, operatorPrincipalId, role)
    properties: {
      principalId: operatorPrincipalId
      principalType: operatorPrincipalType
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

module endpoint 'endpoint.bicep' = if (private) {
  name: '${name}-endpoint'
  params: {
    name: '${name}-endpoint'
    location: location
    tags: tags
    subnetId: endpointSubnetId
    serviceId: namespace.id
    groupId: 'namespace'
    zoneName: 'privatelink.servicebus.windows.net'
  }
}

output hostName string = '${namespace.name}.servicebus.windows.net'
