// Conversations, customers' facts, operators and limits; with `vectorIndex` = cosmos also the search index. What is
// partitioned and indexed how is decided in shared/memory/cosmos_schema.py and shared/knowledge/cosmos_schema.py: a test compares.
// Made here, because making a container is management, which no data role allows and keys, which could, are off.

param name string
param location string
param tags object
param principalId string
param operatorPrincipalId string

param databaseName string
@description('0: serverless, about $0.28 per million request units. Else the most request units a second, shared by all containers, or with the index here for each of six: 1000 cost $9 to $88 a month, as used. For good: an account is the one or the other.')
param throughput int
@description('The search index is kept here. The capability cannot be taken away again.')
param withIndex bool
@description('Numbers in a vector of EMBEDDING_MODEL.')
param dimensions int
param endpointSubnetId string
param allowedAddresses array

var serverless = throughput == 0
var autoscale = serverless ? {} : { autoscaleSettings: { maxThroughput: throughput } }
// All containers share it; but a database that shares cannot search vectors: then each has its own.
var sharedThroughput = withIndex ? {} : autoscale
var ownThroughput = withIndex ? autoscale : {}
var billing = serverless ? [{ name: 'EnableServerless' }] : []
var search = withIndex ? [{ name: 'EnableNoSQLVectorSearch' }] : []
var private = !empty(endpointSubnetId)
var addresses = [for address in allowedAddresses: { ipAddressOrRange: address }]
var dataContributor = '00000000-0000-0000-0000-000000000002'

var memory = [
  {
    name: 'conversations'
    partitionKey: '/session_id'
    included: [
      { path: '/session_id/?' }
      { path: '/type/?' }
      { path: '/seq/?' }
      { path: '/answer_to/?' }
      { path: '/kept_until/?' }
      { path: '/stored_at/?' }
      { path: '/document/created_at/?' }
      { path: '/document/customer_id/?' }
      { path: '/document/user_id/?' }
      { path: '/document/status/?' }
      { path: '/document/team/?' }
      { path: '/document/assignee/?' }
      { path: '/document/touched_at/?' }
      { path: '/document/sent_at/?' }
    ]
    composite: [
      [{ path: '/document/created_at', order: 'ascending' }, { path: '/id', order: 'ascending' }]
      [{ path: '/document/created_at', order: 'ascending' }, { path: '/session_id', order: 'ascending' }]
    ]
  }
  { name: 'customers', partitionKey: '/customer_id', included: [{ path: '/customer_id/?' }], composite: [] }
  { name: 'operators', partitionKey: '/id', included: [{ path: '/id/?' }], composite: [] }
  { name: 'limits', partitionKey: '/id', included: [{ path: '/id/?' }], composite: [] }
]

resource account 'Microsoft.DocumentDB/databaseAccounts@2025-10-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    locations: [{ locationName: location, failoverPriority: 0 }]
    consistencyPolicy: { defaultConsistencyLevel: 'Session' }
    capabilities: concat(billing, search)
    disableLocalAuth: true
    disableKeyBasedMetadataWriteAccess: true
    minimalTlsVersion: 'Tls12'
    // To any second of the last seven days; this tier is free.
    backupPolicy: { type: 'Continuous', continuousModeProperties: { tier: 'Continuous7Days' } }
    publicNetworkAccess: private && empty(allowedAddresses) ? 'Disabled' : 'Enabled'
    // Any rule keeps everybody else out: without a private endpoint also the app.
    ipRules: private ? addresses : []
  }
}

resource database 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases@2025-10-15' = {
  parent: account
  name: databaseName
  properties: {
    resource: { id: databaseName }
    options: sharedThroughput
  }
}

@batchSize(1)
resource containers 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = [
  for container in memory: {
    parent: database
    name: container.name
    properties: {
      resource: {
        id: container.name
        partitionKey: { paths: [container.partitionKey], kind: 'Hash', version: 2 }
        // Items expire if they have a `ttl` of their own.
        defaultTtl: -1
        indexingPolicy: {
          indexingMode: 'consistent'
          automatic: true
          includedPaths: container.included
          excludedPaths: [{ path: '/*' }]
          compositeIndexes: container.composite
        }
      }
      options: ownThroughput
    }
  }
]

resource records 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = if (withIndex) {
  parent: database
  name: 'records'
  dependsOn: [containers]
  properties: {
    resource: {
      id: 'records'
      partitionKey: { paths: ['/partition'], kind: 'Hash', version: 2 }
      defaultTtl: -1
      indexingPolicy: {
        indexingMode: 'consistent'
        automatic: true
        includedPaths: [{ path: '/generation/?' }]
        excludedPaths: [{ path: '/*' }]
        compositeIndexes: []
      }
    }
    options: ownThroughput
  }
}

// What a container says of its vectors is for good: another number of dimensions is another container.
resource chunks 'Microsoft.DocumentDB/databaseAccounts/sqlDatabases/containers@2025-10-15' = if (withIndex) {
  parent: database
  name: 'chunks-${dimensions}'
  dependsOn: [records]
  properties: {
    resource: {
      id: 'chunks-${dimensions}'
      partitionKey: { paths: ['/partition'], kind: 'Hash', version: 2 }
      defaultTtl: -1
      indexingPolicy: {
        indexingMode: 'consistent'
        automatic: true
        includedPaths: [
          { path: '/generation/?' }
          { path: '/source/?' }
          { path: '/digest/?' }
          { path: '/codes/[]/?' }
          { path: '/meant_for/product/[]/?' }
          { path: '/meant_for/language/[]/?' }
          { path: '/meant_for/audience/[]/?' }
        ]
        excludedPaths: [{ path: '/*' }]
        compositeIndexes: []
        vectorIndexes: [{ path: '/vector', type: 'diskANN', vectorIndexShardKey: ['/generation'] }]
      }
      vectorEmbeddingPolicy: {
        vectorEmbeddings: [
          { path: '/vector', dataType: 'float32', dimensions: dimensions, distanceFunction: 'cosine' }
        ]
      }
    }
    options: ownThroughput
  }
}

// Items of this database: no account settings, no keys, no containers.
resource grants 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = {
  parent: account
  name: guid(account.id, principalId, dataContributor)
  properties: {
    principalId: principalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
    scope: '${account.id}/dbs/${database.name}'
  }
}

resource operatorGrants 'Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments@2025-10-15' = if (!empty(operatorPrincipalId)) {
  parent: account
  name: guid(account.id, operatorPrincipalId, dataContributor)
  properties: {
    principalId: operatorPrincipalId
    roleDefinitionId: '${account.id}/sqlRoleDefinitions/${dataContributor}'
    scope: '${account.id}/dbs/${database.name}'
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
    groupId: 'Sql'
    zoneName: 'privatelink.documents.azure.com'
  }
}

output endpoint string = account.properties.documentEndpoint
output databaseName string = database.name
