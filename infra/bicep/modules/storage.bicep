// Two accounts. The host's: locks, keys and the app's packages. The documents': what the content team drops and what was said.
// Apart, because whoever may change a package may run code as the app.

param hostName string
param documentsName string
param location string
param tags object
param principalId string
param operatorPrincipalId string
param operatorPrincipalType string

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS'])
@description('Of the documents: LRS about $0.02 per GB and month, ZRS 1.25 times, GRS 2 times that.')
param redundancy string
param endpointSubnetId string
param allowedAddresses array

var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
var queueContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
var tableContributor = '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'

var private = !empty(endpointSubnetId)

resource host 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: hostName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      // Event Grid and the like come as trusted services.
      bypass: 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
      ipRules: [for address in allowedAddresses: { action: 'Allow', value: address }]
    }
  }
}

resource hostBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: host
  name: 'default'
  properties: { deleteRetentionPolicy: { enabled: true, days: 7 } }
}

// What runs: the platform keeps one package there and replaces it with each deployment.
resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: hostBlobs
  name: 'packages'
  properties: { publicAccess: 'None' }
}

// What ran, and proved healthy: where `python -m tools.rollback` finds the package before.
resource releases 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: hostBlobs
  name: 'releases'
  properties: { publicAccess: 'None' }
}

resource documents 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: documentsName
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: redundancy }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      // Event Grid and the like come as trusted services.
      bypass: 'AzureServices'
      defaultAction: private ? 'Deny' : 'Allow'
      ipRules: [for address in allowedAddresses: { action: 'Allow', value: address }]
    }
  }
}

resource documentBlobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: documents
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    isVersioningEnabled: false
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for container in ['documents', 'transcripts']: {
    parent: documentBlobs
    name: container
    properties: { publicAccess: 'None' }
  }
]

// The roles that the Functions host asks for: locks and keys in blobs, receipts in queues, diagnostics in a table.
// https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
resource hostGrants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [blobOwner, queueContributor, tableContributor]: {
    scope: host
    name: guid(host.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

// The app reads documents and writes transcripts; the blob trigger puts what it could not deliver into a queue. The table
// of roles asks for the owner's, which differs in the rights of files in a data lake only: this is none.
resource documentGrants 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in [blobContributor, queueContributor]: {
    scope: documents
    name: guid(documents.id, principalId, role)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role)
    }
  }
]

resource operatorUploads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  scope: documents
  name: guid(documents.id, operatorPrincipalId, blobContributor)
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
  }
}

resource operatorReleases 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorPrincipalId)) {
  scope: releases
  name: guid(releases.id, operatorPrincipalId, blobContributor)
  properties: {
    principalId: operatorPrincipalId
    principalType: operatorPrincipalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
  }
}

module hostEndpoints 'endpoint.bicep' = [
  for part in ['blob', 'queue', 'table']: if (private) {
    name: '${hostName}-${part}'
    params: {
      name: '${hostName}-${part}'
      location: location
      tags: tags
      subnetId: endpointSubnetId
      serviceId: host.id
      groupId: part
      zoneName: 'privatelink.${part}.${environment().suffixes.storage}'
    }
  }
]

module documentEndpoints 'endpoint.bicep' = [
  for part in ['blob', 'queue']: if (private) {
    name: '${documentsName}-${part}'
    params: {
      name: '${documentsName}-${part}'
      location: location
      tags: tags
      subnetId: endpointSubnetId
      serviceId: documents.id
      groupId: part
      zoneName: 'privatelink.${part}.${environment().suffixes.storage}'
    }
  }
]

output hostName string = host.name
output hostBlobUri string = host.properties.primaryEndpoints.blob
output hostQueueUri string = host.properties.primaryEndpoints.queue
output hostTableUri string = host.properties.primaryEndpoints.table
output packagesUri string = '${host.properties.primaryEndpoints.blob}${packages.name}'
output documentsId string = documents.id
output documentsBlobUri string = documents.properties.primaryEndpoints.blob
output documentsQueueUri string = documents.properties.primaryEndpoints.queue
