// A Chroma server in the virtual network. One machine: it has neither accounts nor replicas, and two of it on one share destroy
// the index. When it is too small, `vectorIndex` = cosmos takes its place. Documents are the truth: all of it can be rebuilt.

param name string
param storageName string
param location string
param tags object
param networkId string
param subnetId string
param workspaceId string

@description('As the client that requirements.txt pins: a test compares.')
param image string
@description('Processors, in quarters: 0.5 with 1Gi costs about $40 a month, 2 with 4Gi about $160.')
param cpu string
@description('Twice the processors, in Gi. The index lies in memory: about 0.3 GB for 100,000 passages.')
param memory string
@description('GiB of each of the two shares; 100 is the least that Azure sells, about $16 a month.')
param shareGigabytes int

var shares = ['index', 'backup']

// NFS wants no encryption setting of HTTPS: who comes in is decided by the network alone, which is this subnet.
resource files 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: storageName
  location: location
  tags: tags
  kind: 'FileStorage'
  sku: { name: 'Premium_LRS' }
  properties: {
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: false
    publicNetworkAccess: 'Enabled'
    networkAcls: {
      bypass: 'None'
      defaultAction: 'Deny'
      virtualNetworkRules: [{ id: subnetId, action: 'Allow' }]
    }
  }
}

resource fileService 'Microsoft.Storage/storageAccounts/fileServices@2025-06-01' = {
  parent: files
  name: 'default'
  properties: { shareDeleteRetentionPolicy: { enabled: true, days: 7 } }
}

// NFS, not SMB: SQLite's locks do not work over SMB.
resource share 'Microsoft.Storage/storageAccounts/fileServices/shares@2025-06-01' = [
  for shareName in shares: {
    parent: fileService
    name: shareName
    properties: { enabledProtocols: 'NFS', rootSquash: 'NoRootSquash', shareQuota: shareGigabytes }
  }
]

resource environment 'Microsoft.App/managedEnvironments@2025-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    vnetConfiguration: { internal: true, infrastructureSubnetId: subnetId }
    publicNetworkAccess: 'Disabled'
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
    // By the diagnostic setting below, which needs no key of the workspace.
    appLogsConfiguration: { destination: 'azure-monitor' }
  }
}

resource logs 'microsoft.insights/diagnosticSettings@2016-09-01' = {
  scope: environment
  name: 'service'
  location: location
  properties: {
    workspaceId: workspaceId
    logs: [
      { category: 'ContainerAppConsoleLogs', enabled: true }
      { category: 'ContainerAppSystemLogs', enabled: true }
    ]
  }
}

resource storages 'Microsoft.App/managedEnvironments/storages@2025-07-01' = [
  for (shareName, i) in shares: {
    parent: environment
    name: shareName
    properties: {
      nfsAzureFile: {
        server: '${files.name}.file.${az.environment().suffixes.storage}'
        shareName: '/${files.name}/${share[i].name}'
        accessMode: 'ReadWrite'
      }
    }
  }
]

resource chroma 'Microsoft.App/containerApps@2025-07-01' = {
  name: name
  location: location
  tags: tags
  dependsOn: [storages]
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      // Of an internal environment: `external` is the virtual network, where the app is; without it, only this environment.
      ingress: { external: true, targetPort: 8000, transport: 'http', allowInsecure: false }
    }
    template: {
      terminationGracePeriodSeconds: 60
      scale: { minReplicas: 1, maxReplicas: 1 }
      volumes: [{ name: 'index', storageType: 'NfsAzureFile', storageName: 'index' }]
      containers: [
        {
          name: 'chroma'
          image: image
          resources: { cpu: json(cpu), memory: memory }
          env: [{ name: 'ANONYMIZED_TELEMETRY', value: 'FALSE' }]
          // Where the image keeps its data.
          volumeMounts: [{ volumeName: 'index', mountPath: '/data' }]
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/api/v2/heartbeat', port: 8000 }
              periodSeconds: 5
              failureThreshold: 60
            }
            { type: 'Liveness', httpGet: { path: '/api/v2/heartbeat', port: 8000 }, periodSeconds: 30, failureThreshold: 5 }
          ]
        }
      ]
    }
  }
}

resource backup 'Microsoft.App/jobs@2026-01-01' = {
  name: '${name}-backup'
  location: location
  tags: tags
  dependsOn: [storages]
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Schedule'
      scheduleTriggerConfig: { cronExpression: '30 2 * * *', parallelism: 1, replicaCompletionCount: 1 }
      replicaTimeout: 1800
      replicaRetryLimit: 1
    }
    template: {
      volumes: [
        { name: 'index', storageType: 'NfsAzureFile', storageName: 'index' }
        { name: 'backup', storageType: 'NfsAzureFile', storageName: 'backup' }
      ]
      containers: [
        {
          name: 'backup'
          image: 'docker.io/library/python:3.13-slim'
          command: ['python', '-c', loadTextContent('../../chroma/backup.py')]
          args: ['/data', '/backup']
          resources: { cpu: json('0.25'), memory: '0.5Gi' }
          volumeMounts: [
            { volumeName: 'index', mountPath: '/data' }
            { volumeName: 'backup', mountPath: '/backup' }
          ]
        }
      ]
    }
  }
}

module address 'chroma-address.bicep' = {
  name: '${name}-address'
  params: {
    domain: environment.properties.defaultDomain
    staticIp: environment.properties.staticIp
    networkId: networkId
    tags: tags
  }
}

output url string = 'https://${chroma.properties.configuration.ingress.fqdn}'
