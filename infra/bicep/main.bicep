// Everything that the support agent needs in Azure, in one resource group. `azd up` deploys it; see docs/deployment.md.
// Prices are list prices of East US in US dollars, rounded, as of late 2025: for the order of magnitude.
targetScope = 'subscription'

@minLength(1)
@maxLength(32)
@description('Names the resource group and, with the subscription, makes the accounts\' names unique.')
param environmentName string

@description('Must offer Flex Consumption and, unless answerer = extractive, the model. See docs/deployment.md.')
param location string

@description('The person or pipeline that may upload documents, make operators, read dead letters and keep releases. Empty: nobody.')
param operatorPrincipalId string = ''

@allowed(['User', 'Group', 'ServicePrincipal'])
@description('What that is.')
param operatorPrincipalType string = 'User'

@description('How the agent names the company it answers for.')
param companyName string

@description('Exact origins of the sites with the chat, comma-separated. Empty: only the app\'s own page may call from a browser.')
param allowedOrigins string = ''

@allowed(['azure_openai', 'extractive'])
@description('azure_openai: a model writes the answers, for about $0.002 each. extractive: the documents\' own sentences, free.')
param answerer string = 'azure_openai'

@description('The model: another price per token, another quota.')
param modelName string = 'gpt-5-mini'

@description('Its version; the region must offer it. Free.')
param modelVersion string = '2025-08-07'

@allowed(['GlobalStandard', 'DataZoneStandard', 'Standard'])
@description('Where questions are processed. GlobalStandard: anywhere, the cheapest. DataZoneStandard: within EU or US, 10 % more.')
param modelDeploymentType string = 'GlobalStandard'

@minValue(1)
@description('Thousands of tokens a minute, of the subscription\'s quota: about 10 answers a minute each 50. Free until used.')
param modelCapacity int = 100

@allowed(['chroma', 'cosmos'])
@description('Where the search index is. chroma: a server for about $75 a month with its shares, to some ten thousand passages (docs/operations.md). cosmos: paid per request, grows without end. A change rebuilds the index.')
param vectorIndex string = 'chroma'

@description('Processors of Chroma, in quarters: 0.5 cost about $40 a month.')
param chromaCpu string = '0.5'

@description('Memory of Chroma: twice its processors, in Gi. Included in their price here.')
param chromaMemory string = '1Gi'

@description('Numbers in a vector of EMBEDDING_MODEL, for vectorIndex = cosmos. More cost more request units.')
param embeddingDimensions int = 384

@minValue(0)
@description('Cosmos DB. 0: serverless, about $0.28 per million request units. Else autoscale up to so many a second; 1000 cost $9 to $88 a month, with vectorIndex = cosmos six times that. For good.')
param cosmosThroughput int = 0

@allowed(['Standard', 'Premium'])
@description('Standard: about $10 a month. Premium: about $680; with privateNetworking only it leaves the internet.')
param serviceBusSku string = 'Standard'

@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS'])
@description('Copies of the documents: in one building, in three, or in two regions. $0.02 to $0.05 per GB and month.')
param storageRedundancy string = 'Standard_LRS'

@description('The stores answer in the virtual network only. About $60 a month for private endpoints; the app itself stays public, for customers.')
param privateNetworking bool = false

@description('With privateNetworking: addresses (a.b.c.d) from which people and pipelines still reach the stores. Free.')
param allowedAddresses array = []

@allowed([2048, 4096])
@description('MB per instance; 4096 costs twice as much a second.')
param instanceMemoryMB int = 2048

@minValue(1)
@maxValue(1000)
@description('The most instances at once, thus the ceiling of the bill: 40 of 2048 MB cost at most $7.50 an hour.')
param maximumInstances int = 40

@minValue(0)
@description('Instances that are kept warm for customers: about $21 a month each. 0: the first after a pause waits some seconds.')
param alwaysReady int = 0

@minValue(1)
@description('Requests that one instance answers at once. Fewer: quicker answers, more instances. Free itself.')
param concurrency int = 16

@minValue(30)
@description('Days that logs are kept; beyond 31 about $0.10 per GB and month.')
param logRetentionDays int = 30

@minValue(1)
@description('GB of logs a day at most; each costs about $2.30. What is more is dropped.')
param logDailyGigabytes int = 1

@description('Replies of people reach the widget at once, through Web PubSub: about $49 a month for 1,000 open chats. Without, it asks every few seconds.')
param pushNews bool = false

@description('Whether alerts are watched for: $10.50 a month for the nine of them. False: they are there, but ask nothing.')
param alertsEnabled bool = true

@description('Who gets an e-mail when an alert fires and when it is over; the first 1,000 a month are free. Empty: nobody, alerts are seen in the portal only.')
param alertEmail string = ''

@description('owner/name of the repository whose GitHub Actions deploy. Empty: people do. Free.')
param githubRepository string = ''

@description('The environment there; its reviewers approve. Free.')
param githubEnvironment string = 'production'

@description('More app settings by name, as docs/settings.md lists them: { SESSION_HOURS: \'12\' }. Free.')
param moreSettings object = {}

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = { 'azd-env-name': environmentName }
var withChroma = vectorIndex == 'chroma'
var withModel = answerer == 'azure_openai'
var withNetwork = withChroma || privateNetworking

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-${token}', location: location, tags: tags }
}

module network 'modules/network.bicep' = if (withNetwork) {
  name: 'network'
  scope: group
  params: { name: 'vnet-${token}', location: location, tags: tags, privateNetworking: privateNetworking }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-${token}'
    componentName: 'appi-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    retentionDays: logRetentionDays
    dailyGigabytes: logDailyGigabytes
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    componentId: monitoring.outputs.componentId
    location: location
    tags: tags
    enabled: alertsEnabled
    email: alertEmail
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    hostName: 'sthost${token}'
    documentsName: 'stdocs${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    redundancy: storageRedundancy
    endpointSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    allowedAddresses: allowedAddresses
  }
}

module events 'modules/events.bicep' = {
  name: 'events'
  scope: group
  params: { name: 'evgt-${token}', location: location, tags: tags, sourceId: storage.outputs.documentsId }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    endpointSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    allowedAddresses: allowedAddresses
  }
}

module cosmos 'modules/cosmos.bicep' = {
  name: 'cosmos'
  scope: group
  params: {
    name: 'cosmos-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    databaseName: 'support-agent'
    throughput: cosmosThroughput
    withIndex: !withChroma
    dimensions: embeddingDimensions
    endpointSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    allowedAddresses: allowedAddresses
  }
}

module serviceBus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  scope: group
  params: {
    name: 'sb-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    operatorPrincipalId: operatorPrincipalId
    operatorPrincipalType: operatorPrincipalType
    sku: serviceBusSku
    endpointSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
  }
}

module model 'modules/model.bicep' = if (withModel) {
  name: 'model'
  scope: group
  params: {
    name: 'oai-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
    modelName: modelName
    modelVersion: modelVersion
    deploymentType: modelDeploymentType
    capacity: modelCapacity
    endpointSubnetId: privateNetworking ? network!.outputs.endpointSubnetId : ''
    allowedAddresses: allowedAddresses
  }
}

module chroma 'modules/chroma.bicep' = if (withChroma) {
  name: 'chroma'
  scope: group
  params: {
    name: 'chroma-${token}'
    storageName: 'stchroma${token}'
    location: location
    tags: tags
    networkId: network!.outputs.id
    subnetId: network!.outputs.chromaSubnetId
    workspaceId: monitoring.outputs.workspaceId
    image: 'docker.io/chromadb/chroma:1.5.9'
    cpu: chromaCpu
    memory: chromaMemory
    shareGigabytes: 100
  }
}

module webPubSub 'modules/web-pubsub.bicep' = if (pushNews) {
  name: 'webPubSub'
  scope: group
  params: {
    name: 'wps-${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
  }
}

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    planName: 'plan-${token}'
    name: 'func-${token}'
    location: location
    tags: tags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    subnetId: withNetwork ? network!.outputs.appSubnetId : ''
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    alwaysReady: alwaysReady
    concurrency: concurrency
    packagesUri: storage.outputs.packagesUri
    hostBlobUri: storage.outputs.hostBlobUri
    hostQueueUri: storage.outputs.hostQueueUri
    hostTableUri: storage.outputs.hostTableUri
    documentsBlobUri: storage.outputs.documentsBlobUri
    documentsQueueUri: storage.outputs.documentsQueueUri
    insightsConnectionString: monitoring.outputs.connectionString
    cosmosEndpoint: cosmos.outputs.endpoint
    cosmosDatabase: cosmos.outputs.databaseName
    serviceBusHostName: serviceBus.outputs.hostName
    tokenSecretUri: vault.outputs.tokenSecretUri
    modelEndpoint: withModel ? model!.outputs.endpoint : ''
    modelDeployment: withModel ? model!.outputs.deploymentName : ''
    vectorIndex: vectorIndex
    chromaUrl: withChroma ? chroma!.outputs.url : ''
    pushEndpoint: pushNews ? webPubSub!.outputs.endpoint : ''
    companyName: companyName
    allowedOrigins: allowedOrigins
    moreSettings: moreSettings
  }
}

module pipeline 'modules/pipeline.bicep' = if (!empty(githubRepository)) {
  name: 'pipeline'
  scope: group
  params: {
    name: 'id-pipeline-${token}'
    location: location
    tags: tags
    repository: githubRepository
    githubEnvironment: githubEnvironment
    appName: app.outputs.name
    hostStorageName: storage.outputs.hostName
  }
}

// Named as the app's settings, so that `azd env get-values` serves the operator's commands as they are.
output COSMOS_ENDPOINT string = cosmos.outputs.endpoint
output COSMOS_DATABASE string = cosmos.outputs.databaseName
output DOCUMENTS_STORAGE__blobServiceUri string = storage.outputs.documentsBlobUri
output SERVICE_BUS__fullyQualifiedNamespace string = serviceBus.outputs.hostName
output VECTOR_INDEX string = vectorIndex
output CHROMA_URL string = withChroma ? chroma!.outputs.url : ''
output AZURE_OPENAI_ENDPOINT string = withModel ? model!.outputs.endpoint : ''
output AZURE_OPENAI_DEPLOYMENT string = withModel ? model!.outputs.deploymentName : ''
output PUBLIC_URL string = app.outputs.url

// What the hooks and `tools.deploy` need.
output AZURE_RESOURCE_GROUP string = group.name
output APP_NAME string = app.outputs.name
output KEY_VAULT_NAME string = vault.outputs.name
output EVENT_TOPIC_NAME string = events.outputs.name
output RELEASES_ACCOUNT string = storage.outputs.hostName

// For the variable AZURE_CLIENT_ID of the GitHub environment.
output PIPELINE_CLIENT_ID string = empty(githubRepository) ? '' : pipeline!.outputs.clientId
