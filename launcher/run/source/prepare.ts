// Fills the folder of a run from wherever its files come.
import { archiveContext, workspaceContext } from '../../../protocol/sealing/contexts.js';
import { archiveRules } from './archive.js';
import { checkOut } from './git.js';
import type { PrepareSource } from './source.js';
import { unpackObject } from './workspace.js';

export const prepareSource: PrepareSource = async (request) => {
  const { source, workspace, run, onLine } = request;
  if (workspace !== null) {
    onLine('Fetching the workspace that the plan left.');
    await unpackObject(request, workspace, workspaceContext(run), archiveRules.workspace);
    return { commit: null };
  }
  switch (source.kind) {
    case 'archive':
      onLine('Fetching the uploaded workspace.');
      await unpackObject(request, source.object, archiveContext(source.object), archiveRules.upload);
      return { commit: null };
    case 'git':
      return { commit: await checkOut(request, source) };
    case 'none':
      onLine('The stack has no repository: the run starts in an empty folder.');
      return { commit: null };
  }
};
