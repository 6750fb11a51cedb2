// The language model. Without it the app answers with the documents' own sentences.

param name string
param location string
param tags object
param principalId string

@description('The model and its version; the region must offer it.')
param modelName string
param modelVersion string
@description('GlobalStandard: cheapest and largest quota, processed in any region. DataZoneStandard: within EU or US. Standard: in the region.')
param deploymentType string
@description('Thousands of tokens a minute, of the subscription\'s quota. Costs nothing itself: tokens are paid for as they are used.')
param capacity int
param endpointSubnetId string
param allowedAddresses array

var openAiUser = '5e0bd9bd-7b93-4f28-af87-19fc36ad61bd'
var private = !empty(endpointSubnetId)

resource account 'Microsoft.CognitiveServices/accounts@2025-09-01' = {
  name: name
  location: location
  tags: tags
  kind: 'OpenAI'
  sku: { name: 'S0' }
  properties: {
    // Without a name of its own the account takes no identities, only keys.
    customSubDomainName: name
    disableLocalAuth: true
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: private ? 'Deny' : 'Allow'
      ipRules: [for address in allowedAddresses: { value: address }]
    }
  }
}

resource deployment 'Microsoft.CognitiveServices/accounts/deployments@2025-09-01' = {
  parent: account
  name: 'chat'
  sku: { name: deploymentType, capacity: capacity }
  properties: {
    model: { format: 'OpenAI', name: modelName, version: modelVersion }
    // A model of another version answers differently: a person decides, after an evaluation.
    versionUpgradeOption: 'OnceCurrentVersionExpired'
  }
}

resource uses 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: account
  name: guid(account.id, principalId, openAiUser)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', openAiUser)
  }
}

module endpoint 'endpoint.bicep' = if (private) {
  name: '${name}-endpoint'
  params: {
    name: '${name}-endpoint'
    location: location
    tags: tags
    subnetId: endpointSubnetId
    serviceId: account.id
    groupId: 'account'
    zoneName: 'privatelink.openai.azure.com'
  }
}

output endpoint string = 'https://${account.properties.customSubDomainName}.openai.azure.com'
output deploymentName string = deployment.name
